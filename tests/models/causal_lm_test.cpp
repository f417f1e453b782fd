#include "models/causal_lm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/load_model.h"
#include "models/registry.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

at::Tensor random_ids(const CausalLM& model, std::int64_t tokens) {
  return torch::randint(model.info().vocab_size, {1, tokens}, at::kLong);
}

class Sequences : public testing::TestWithParam<at::ScalarType> {};

TEST_P(Sequences, DecodedTogetherGetWhatEachGetsAlone) {
  for (const char* prefix : {"hypenet", "jet", "qwen", "olmohybrid", "lfm2", "falconh1", "nemotron",
                             "granite4", "bamba", "minimax"})
    for (const std::string& folder : golden_models(prefix)) {
      if (!folder.starts_with(test_data().string())) continue;
      torch::manual_seed(3);
      const auto model = load_model(folder, GetParam());
      std::vector<State> alone, together;
      std::vector<State*> states;
      for (const std::int64_t length : {5, 70, 33, 6, 41, 7, 90, 12}) {
        alone.emplace_back(model->num_layers());
        model->forward(random_ids(*model, length), alone.back(), Logits::kNone);
        together.push_back(State::fork(alone.back(), 1, alone.back(), length + 10));
      }
      for (State& state : together) states.push_back(&state);
      for (std::int64_t step = 0; step < 6; ++step) {
        if (step == 4) states.erase(states.begin() + 2, states.begin() + 5);  // some sequences end
        std::vector<at::Tensor> ids, expected;
        for (const State* state : states) {
          ids.push_back(random_ids(*model, 1));
          State& own = alone[static_cast<std::size_t>(state - together.data())];
          expected.push_back(model->forward(ids.back(), own, Logits::kLast));
        }
        const at::Tensor logits = model->forward_rows(at::cat(ids), states, 1);
        ASSERT_EQ(logits.size(0), static_cast<std::int64_t>(states.size()));
        EXPECT_TRUE(at::equal(logits, at::cat(expected))) << folder;
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Types, Sequences, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

TEST(ForkedState, GoesOnOnItsOwn) {
  torch::manual_seed(4);
  const auto model = load_model(test_data() / "models" / "jet-tiny-bf16", at::kFloat);
  State state(model->num_layers());
  model->forward(random_ids(*model, 50), state, Logits::kNone);
  State fork = State::fork(state, 0, state, 60);
  EXPECT_EQ(fork.position(), 50);
  const Mark before = state.mark();
  const at::Tensor ids = random_ids(*model, 3);
  const at::Tensor expected = model->forward(ids, state, Logits::kAll);
  state.rewind(before);
  model->forward(random_ids(*model, 5), state, Logits::kNone);
  EXPECT_TRUE(at::equal(model->forward(ids, fork, Logits::kAll), expected));
}

}  // namespace
}  // namespace niah::models
