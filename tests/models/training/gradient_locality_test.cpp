#include "models/training/gradient_locality.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "harness/base/error.h"
#include "models/registry.h"
#include "tests/models/softmax_layers.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

std::shared_ptr<CausalLM> fresh_model() {
  const auto config = parse_json_file(test_data() / "models/hypenet-flags/config.json", "test");
  RandomSource source(4, 3);
  auto model = make_model(config, "fresh", source);
  for (auto& item : model->named_parameters()) item.value().set_requires_grad(true);
  return model;
}

Batch some_batch(std::int64_t tokens) {
  torch::manual_seed(11);
  Batch batch{torch::randint(32, {3, tokens + 1}, at::kLong), at::ones({3, tokens + 1})};
  batch.weights.narrow(1, 0, tokens / 2).zero_();  // half prompt, half answer
  return batch;
}

TEST(LocalityProbe, SpellingAttentionOutChangesNothing) {
  const auto model = fresh_model();
  const Batch batch = some_batch(20);
  const at::Tensor ids = batch.ids.narrow(1, 0, 20);
  int layers = 0;
  const at::Tensor spelled = model->forward_train(ids, [&](const AttentionInputs& inputs) {
    ++layers;
    const std::int64_t share = inputs.query.size(1) / inputs.key.size(1), n = inputs.key.size(2);
    const at::Tensor logits =
        at::matmul(inputs.query, inputs.key.repeat_interleave(share, 1).transpose(2, 3)) *
        inputs.scale;
    return at::matmul(
        logits.masked_fill(at::ones({n, n}, at::kBool).triu(1), -INFINITY).softmax(-1),
        inputs.value.repeat_interleave(share, 1));
  });
  EXPECT_EQ(layers, 1);
  EXPECT_LT((spelled - model->forward_train(ids)).abs().max().item<double>(), 1e-4);
}

TEST(LocalityProbe, CountsPairsWhoseQueryMattersAndLeavesTheModelAlone) {
  const auto model = fresh_model();
  LocalityProbe probe;
  probe.add(*model, some_batch(20));
  const GradientLocality once = probe.result();
  const std::int64_t heads = softmax_layers(model->info()).front().heads;
  ASSERT_EQ(once.pairs.size(), 20U);
  // Tokens 10 to 20 are predicted from queries 9 to 19. Earlier queries have no gradient above the
  // softmax layer, since no loss depends on their positions.
  EXPECT_LE(once.pairs[0], 3 * heads * 20);
  EXPECT_GE(once.pairs[0], 3 * heads * 11);
  EXPECT_GE(once.pairs[0], once.pairs[19]);
  for (std::size_t tau = 0; tau < 20; ++tau) {
    EXPECT_GT(once.query[tau], 0) << tau;
    EXPECT_TRUE(std::isfinite(once.key[tau])) << tau;
  }
  for (const auto& item : model->named_parameters())
    EXPECT_FALSE(item.value().grad().defined()) << item.key();
  probe.add(*model, some_batch(20));
  const GradientLocality twice = probe.result();
  EXPECT_EQ(twice.pairs[3], 2 * once.pairs[3]);
  EXPECT_NEAR(twice.query[3], once.query[3], 1e-9);
}

TEST(LocalityProbe, GoesOnFromItsStateToTheLastBit) {
  const auto model = fresh_model();
  LocalityProbe whole, stopped, resumed;
  const Batch first = some_batch(20), second = some_batch(12);
  whole.add(*model, first);
  stopped.add(*model, first);
  resumed.restore(stopped.state());
  whole.add(*model, second);
  resumed.add(*model, second);
  EXPECT_EQ(resumed.batches(), 2);
  EXPECT_EQ(resumed.state(), whole.state());
  EXPECT_EQ(resumed.result().query, whole.result().query);
  for (const char* wrong : {"", "{}", "[]", R"({"batches":1,"pairs":[1],"query":[],"key":[]})"})
    EXPECT_THROW(resumed.restore(wrong), DataError) << wrong;
}

/// With a single token each query has one key, so softmax is constant and the gradient of W_Q is
/// zero.
TEST(LocalityProbe, OneTokenHasNoGradient) {
  const auto model = fresh_model();
  LocalityProbe probe;
  Batch batch{torch::randint(32, {2, 2}, at::kLong), at::ones({2, 2})};
  probe.add(*model, batch);
  const GradientLocality locality = probe.result();
  ASSERT_EQ(locality.query.size(), 1U);
  EXPECT_EQ(locality.query[0], 0);
}

TEST(FitDecay, FindsTheWidthOfAnExponential) {
  std::vector<double> g;
  std::vector<std::int64_t> pairs;
  for (int tau = 0; tau < 200; ++tau) {
    g.push_back(3e-4 * std::exp(-tau / 37.0));
    pairs.push_back(1000 - 5 * tau);
  }
  ASSERT_TRUE(fit_decay(g, pairs));
  EXPECT_NEAR(*fit_decay(g, pairs), 37, 1e-6);
  for (std::size_t tau = 185; tau < 200; ++tau) g[tau] = 1;  // too few pairs to count
  EXPECT_NEAR(*fit_decay(g, pairs), 37, 1e-6);
  EXPECT_FALSE(fit_decay({1, 1, 1, 1}, {5, 5, 5, 5}));
  EXPECT_FALSE(fit_decay({1, 2, 3, 4}, {5, 5, 5, 5}));
  EXPECT_FALSE(fit_decay({}, {}));
}

}  // namespace
}  // namespace niah::models
