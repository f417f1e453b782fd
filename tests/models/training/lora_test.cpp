#include "models/training/lora.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "harness/base/error.h"
#include "models/checkpoint/adapter_config.h"
#include "models/load_model.h"
#include "models/training/gradient_locality.h"
#include "models/training/trainer.h"
#include "tests/models/support.h"
#include "tests/models/tiny_adapter.h"
#include "tests/models/training/resumed.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using testing::HasSubstr;
using testing::Not;

Batch batch(std::int64_t step) {
  torch::manual_seed(200 + step);
  return {torch::randint(32, {4, 33}, at::kLong), at::ones({4, 33})};
}

TrainOptions options() {
  TrainOptions options;
  options.steps = 20;
  options.learning_rate.peak = 1e-2;
  options.weight_decay = 0.1;
  options.bf16 = false;
  return options;
}

/// A base on disk: lightning layers around a softmax layer.
class Lora : public testing::Test, protected TinyAdapter {
 protected:
  Lora() : TinyAdapter(parse_json_file(test_data() / "models/hypenet-flags/config.json", "test")) {}

  /// The base, with weights that can change.
  std::shared_ptr<CausalLM> open_base() const {
    WeightMap weights;
    for (const auto& [name, tensor] : base_) weights.emplace(name, tensor.clone());
    return build_model(config_base_, "base", weights);
  }
  static std::shared_ptr<LoraFactors> factors_of(const CausalLM& model,
                                                 const LoraOptions& lora = {}) {
    return std::make_shared<LoraFactors>(model, lora, /*seed=*/1);
  }
  /// The name of the weight that the factor `name` changes.
  static std::string weight_name(const std::string& name) {
    const std::size_t first = kAdapterPrefix.size();
    return name.substr(first, name.find(".lora_") - first) + ".weight";
  }
};

TEST_F(Lora, FactorsHaveTheGradientsOfAutograd) {
  const auto model = open_base();
  const auto factors = factors_of(*model, {.rank = 3, .alpha = 5});
  const WeightMap weights = parameters_of(*model);
  const auto tensors = factors->tensors();
  for (std::size_t i = 0; i < tensors.size(); i += 2) tensors[i + 1].second.normal_();
  factors->update_model();
  at::Tensor loss = at::zeros({}), expected = at::zeros({});
  std::vector<at::Tensor> leaves;
  for (std::size_t i = 0; i < tensors.size(); i += 2) {
    const std::string name = weight_name(tensors[i].first);
    for (std::size_t j : {i, i + 1})
      leaves.push_back(tensors[j].second.detach().clone().set_requires_grad(true));
    const at::Tensor adapted = base_.at(name) + 5.0 / 3 * at::mm(leaves[i + 1], leaves[i]);
    EXPECT_TRUE(at::allclose(weights.at(name), adapted, 1e-5, 1e-5)) << name;
    const at::Tensor x = at::randn({7, adapted.size(1)});
    expected = expected + at::mm(x, adapted.t()).tanh().sum();
    loss = loss + at::mm(x, weights.at(name).t()).tanh().sum();
  }
  expected.backward();
  loss.backward();
  factors->take_gradients();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    EXPECT_TRUE(at::allclose(tensors[i].second.grad(), leaves[i].grad(), 1e-4, 1e-4))
        << tensors[i].first;
}

TEST_F(Lora, BeginsAsNoChangeWithFactorsAsPeftDrawsThem) {
  const auto model = open_base();
  const auto factors = factors_of(*model), again = factors_of(*open_base());
  factors->update_model();
  expect_equal(*model, *open_base());
  for (std::size_t i = 0; i < factors->tensors().size(); ++i) {
    const auto [name, tensor] = factors->tensors()[i];
    EXPECT_TRUE(at::equal(tensor, again->tensors()[i].second)) << name;
    if (!name.ends_with(".lora_A.weight")) continue;
    const double largest = tensor.abs().max().item<double>() * std::sqrt(tensor.size(1));
    EXPECT_LE(largest, 1 + 1e-6) << name;
    EXPECT_GT(largest, 0.9) << name;
  }
}

TEST_F(Lora, BaseAndAdapterAreTheTrainedModel) {
  const auto model = open_base();
  const auto factors = factors_of(*model, {.rank = 4, .alpha = 8});
  Trainer trainer(model, factors, options());
  const double first = trainer.step(batch(0)).loss;
  double last = first;
  while (trainer.steps_done() < 20) last = trainer.step(batch(0)).loss;
  EXPECT_LT(last, first - 0.2);
  factors->write(adapter_, folder_, {{"format", "pt"}});
  const auto read = load_model(path(), at::kFloat);
  expect_equal(*read, *model);
  const at::Tensor ids = batch(1).ids;
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::allclose(read->forward_train(ids), model->forward_train(ids), 1e-5, 1e-5));
}

TEST_F(Lora, NothingElseMoves) {
  const auto model = open_base();
  const auto factors = factors_of(*model, {.parts = {WeightPart::kQuery, WeightPart::kMlp}});
  std::set<std::string> adapted;
  for (const auto& [name, tensor] : factors->tensors()) adapted.insert(weight_name(name));
  EXPECT_EQ(adapted.size(), 1 + 3 * 3U) << "one softmax layer, three MLPs";
  Trainer trainer(model, factors, options());
  for (std::int64_t step = 0; step < 3; ++step) trainer.step(batch(step));
  for (const auto& [name, tensor] : parameters_of(*model))
    EXPECT_NE(at::equal(tensor, base_.at(name)), adapted.contains(name)) << name;
}

TEST_F(Lora, ResumedTrainingIsTheSameTraining) {
  const auto state = temporary_.path() / "state.safetensors";
  const auto whole_model = open_base(), resumed_model = open_base();
  Trainer whole(whole_model, factors_of(*whole_model), options());
  Trainer resumed(resumed_model, factors_of(*resumed_model), options());
  train_and_resume(whole, resumed, state, 3, 6, batch);
  expect_equal(*resumed_model, *whole_model);
  Trainer of_weights(open_base(), options());
  EXPECT_THAT(refusal_of([&] { of_weights.load(state); }), HasSubstr("belongs to another model"));
}

TEST_F(Lora, LocalityIsMeasuredWhereNothingBeforeIsTrained) {
  const auto frozen = open_base(), trained = open_base();
  const auto factors = factors_of(*frozen, {.parts = {WeightPart::kOutput}});
  const Trainer trainer(trained, options());
  LocalityProbe probe, expected;
  probe.add(*frozen, batch(0));
  expected.add(*trained, batch(0));
  const GradientLocality measured = probe.result(), wanted = expected.result();
  EXPECT_EQ(measured.pairs, wanted.pairs);
  for (std::size_t tau = 0; tau < wanted.query.size(); ++tau)
    EXPECT_NEAR(measured.query.at(tau), wanted.query[tau], 1e-4 * wanted.query[tau]) << tau;
}

TEST_F(Lora, PartsThatCannotBeAdaptedAreRefused) {
  EXPECT_THAT(
      refusal_of<UsageError>([&] { factors_of(*open_base(), {.parts = {WeightPart::kExperts}}); }),
      HasSubstr("no part 'experts'; there are: q, k, "));
  const auto gated = tiny_model(tiny_qwen("qwen3_5_text"));
  EXPECT_THAT(refusal_of<UsageError>([&] { factors_of(*gated, {.parts = {WeightPart::kQuery}}); }),
              HasSubstr("q_proj.weight' also holds rows of other parts"));
  factors_of(*gated, {.parts = {WeightPart::kQuery, WeightPart::kGate}});
}

TEST(LoraOfAFamily, AdaptsProjectionsOnly) {
  for (const auto& [label, config] : tiny_hybrids()) {
    const LoraFactors factors(*tiny_model(config), {}, 1);
    for (const auto& [name, tensor] : factors.tensors())
      for (const char* other : {"norm", "conv.lora_", "conv1d", "embed", "lm_head", ".experts."})
        EXPECT_THAT(name, Not(HasSubstr(other))) << label;
  }
}

}  // namespace
}  // namespace niah::models
