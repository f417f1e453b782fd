#include "models/training/trainer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/base/error.h"
#include "models/checkpoint/checkpoint.h"
#include "models/registry.h"
#include "models/training/held_rows.h"
#include "models/weights.h"
#include "tests/models/support.h"
#include "tests/models/training/resumed.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

std::shared_ptr<CausalLM> fresh_model(std::uint64_t seed) {
  const auto config = parse_json_file(test_data() / "models/hypenet-flags/config.json", "test");
  RandomSource source(seed, 3);
  return make_model(config, "fresh", source);
}

Batch batch(std::int64_t step) {
  torch::manual_seed(100 + step);
  return {torch::randint(32, {4, 33}, at::kLong), at::ones({4, 33})};
}

TrainOptions options() {
  TrainOptions options;
  options.steps = 30;
  options.learning_rate = {.peak = 3e-3, .warmup_steps = 3, .decay_from = 0.5, .floor = 0.1};
  options.weight_decay = 0.1;
  options.bf16 = false;
  return options;
}

TEST(LearningRate, WarmsUpHoldsAndDecays) {
  const LearningRate rate{.peak = 1, .warmup_steps = 10, .decay_from = 0.6, .floor = 0.05};
  EXPECT_NEAR(rate.at(0, 100), 0.1, 1e-12);
  EXPECT_NEAR(rate.at(9, 100), 1, 1e-12);
  EXPECT_NEAR(rate.at(59, 100), 1, 1e-12);
  EXPECT_NEAR(rate.at(80, 100), 0.5, 1e-12);
  EXPECT_NEAR(rate.at(99, 100), 0.05, 1e-12);
}

TEST(Trainer, LearnsOneBatchByHeart) {
  Trainer trainer(fresh_model(1), options());
  const double first = trainer.step(batch(0)).loss;
  double last = first;
  while (trainer.steps_done() < 30) last = trainer.step(batch(0)).loss;
  EXPECT_LT(last, first - 0.5);
}

TEST(Trainer, EqualSeedsGiveEqualWeights) {
  const auto a = parameters_of(*fresh_model(5)), b = parameters_of(*fresh_model(5));
  for (const auto& [name, tensor] : a) EXPECT_TRUE(at::equal(tensor, b.at(name))) << name;
  EXPECT_FALSE(at::equal(a.at("model.embed_tokens.weight"),
                         parameters_of(*fresh_model(6)).at("model.embed_tokens.weight")));
}

TEST(Trainer, FrozenPartsStayAsTheyAre) {
  const auto model = fresh_model(1);
  WeightMap before;
  for (const auto& [name, tensor] : parameters_of(*model)) before.emplace(name, tensor.clone());
  TrainOptions frozen = options();
  frozen.freeze = {WeightPart::kQuery, WeightPart::kEmbedding};
  Trainer trainer(model, frozen);
  for (std::int64_t step = 0; step < 3; ++step) trainer.step(batch(step));
  for (const auto& [part, drift] : part_drift(*model, before)) {
    if (part == "q" || part == "embedding")
      EXPECT_EQ(drift, 0) << part << ", weight decay included";
    else
      EXPECT_GT(drift, 0) << part;
  }
}

TEST(Trainer, APartThatTheModelLacksCannotBeFrozen) {
  TrainOptions frozen = options();
  frozen.freeze = {WeightPart::kExperts};
  EXPECT_THAT(refusal_of<UsageError>([&] { Trainer(fresh_model(1), frozen); }),
              testing::HasSubstr("no part 'experts'; there are: q, k, "));
}

TEST(Trainer, NotAllPartsCanBeFrozen) {
  TrainOptions frozen = options();
  for (const auto& [part, drift] : part_drift(*fresh_model(1), parameters_of(*fresh_model(1))))
    frozen.freeze.insert(parse_weight_part(part));
  EXPECT_THAT(refusal_of<UsageError>([&] { Trainer(fresh_model(1), frozen); }),
              testing::HasSubstr("every part of the model is frozen"));
}

TEST(Trainer, ResumedTrainingIsTheSameTraining) {
  const TemporaryFolder folder;
  const auto whole_model = fresh_model(2), resumed_model = fresh_model(3);
  Trainer whole(whole_model, options()), resumed(resumed_model, options());
  train_and_resume(whole, resumed, folder.path() / "state.safetensors", 4, 10, batch);
  expect_equal(*resumed_model, *whole_model);
}

TEST(Trainer, ResumedTrainingOfExpertsIsTheSameTraining) {
  const TemporaryFolder folder;
  const auto model = [] {
    const std::filesystem::path path = test_data() / "models/lfm2moe-tiny";
    const auto checkpoint = std::make_shared<Checkpoint>(path);
    WeightMap weights;
    for (const auto& [name, tensor] : load_weights(checkpoint, at::kFloat))
      weights.emplace(name, tensor.clone());
    return build_model(checkpoint->config(), path.string(), weights);
  };
  // Two tokens a step: most experts get none, and those have taken fewer steps than others.
  const auto few = [](std::int64_t step) {
    torch::manual_seed(step);
    return Batch{torch::randint(32, {1, 3}, at::kLong), at::ones({1, 3})};
  };
  const auto whole_model = model(), resumed_model = model();
  Trainer whole(whole_model, options()), resumed(resumed_model, options());
  train_and_resume(whole, resumed, folder.path() / "state.safetensors", 3, 6, few);
  expect_equal(*resumed_model, *whole_model);
}

TEST(Trainer, NotesComeBackWithTheState) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "state.safetensors";
  const TrainNotes notes = {{"seed", "4"}, {"steps_done", "not the trainer's"}};
  const Trainer trainer(fresh_model(1), options());
  trainer.save(path, notes);
  EXPECT_EQ(Trainer::read_notes(path), notes);
  save_weights(path, {{"param.x", at::zeros({2})}}, {{"steps_done", "-3"}});
  EXPECT_THROW(Trainer::read_notes(path), DataError);
}

TEST(Trainer, RefusesAStateOfAnotherModel) {
  const TemporaryFolder folder;
  save_weights(folder.path() / "s.safetensors", {{"param.x", at::zeros({2})}},
               {{"steps_done", "1"}});
  Trainer trainer(fresh_model(1), options());
  EXPECT_THROW(trainer.load(folder.path() / "s.safetensors"), DataError);
}

class EveryArchitecture : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Trainer, EveryArchitecture, testing::ValuesIn(golden_models("")),
                         [](const auto& info) {
                           std::string name = std::filesystem::path(info.param).filename().string();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name + "_" + std::to_string(info.index);
                         });

TEST_P(EveryArchitecture, TrainsInBf16AlmostAsInFp32) {
  const auto losses = [&](bool bf16) {
    const auto checkpoint = std::make_shared<Checkpoint>(GetParam());
    WeightMap weights;
    for (const auto& [name, tensor] : load_weights(checkpoint, at::kFloat))
      weights.emplace(name, tensor.clone());
    TrainOptions some = options();
    some.bf16 = bf16;
    Trainer trainer(build_model(checkpoint->config(), GetParam(), weights), some);
    // More tokens than a chunk of any linear layer, so that states are carried on.
    torch::manual_seed(1);
    const Batch one{torch::randint(30, {2, 150}, at::kLong), at::ones({2, 150})};
    std::vector<double> out;
    for (int step = 0; step < 3; ++step) out.push_back(trainer.step(one).loss);
    return out;
  };
  const std::vector<double> expected = losses(false), got = losses(true);
  for (std::size_t step = 0; step < expected.size(); ++step)
    EXPECT_NEAR(got[step], expected[step], 0.03 * expected[step]) << "step " << step;
}

TEST(Trainer, IgnoresTokensOfWeightZero) {
  Trainer trainer(fresh_model(1), options());
  Batch some = batch(0);
  some.weights.narrow(1, 16, 17).zero_();
  const StepResult result = trainer.step(some);
  EXPECT_NEAR(result.loss, result.token_loss.narrow(1, 0, 15).mean().item<double>(), 1e-5);
}

}  // namespace
}  // namespace niah::models
