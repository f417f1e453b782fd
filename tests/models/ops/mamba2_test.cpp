#include "models/ops/mamba2.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/ops/reference.h"

namespace niah::models {
namespace {

constexpr std::int64_t kBatch = 2, kHeads = 6, kGroups = 3, kSize = 12, kState = 20;

struct Inputs {
  at::Tensor x, step, log_decay, input, readout, state;

  Inputs cut(std::int64_t begin, std::int64_t count) const {
    const auto piece = [&](const at::Tensor& all) { return all.narrow(2, begin, count); };
    return {piece(x), piece(step), piece(log_decay), piece(input), piece(readout), state};
  }
};

Inputs random_inputs(std::int64_t tokens, double rate = 1) {
  torch::manual_seed(tokens);
  const at::Tensor step = torch::rand({kBatch, kHeads, tokens});
  return {torch::randn({kBatch, kHeads, tokens, kSize}),
          step,
          -rate * step,
          torch::randn({kBatch, kGroups, tokens, kState}),
          torch::randn({kBatch, kGroups, tokens, kState}),
          torch::randn({kBatch, kHeads, kSize, kState})};
}

Mamba2Result fast(const Inputs& in, const at::Tensor& state) {
  return mamba2(in.x, in.step, in.log_decay, in.input, in.readout, state);
}

double max_diff(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / (1 + b.abs().max().item<double>());
}

class Mamba2Length : public testing::TestWithParam<std::int64_t> {};

TEST_P(Mamba2Length, MatchesTheRecurrence) {
  for (const double rate : {0.0, 0.05, 1.0, 300.0}) {
    const Inputs in = random_inputs(GetParam(), rate);
    for (const at::Tensor& state : {in.state, at::Tensor()}) {
      const auto slow = reference::mamba2(in.x, in.step, in.log_decay, in.input, in.readout, state);
      const auto own = fast(in, state);
      EXPECT_LT(max_diff(own.output, slow.output), 2e-5) << rate;
      EXPECT_LT(max_diff(own.state, slow.state), 2e-5) << rate;
    }
  }
}

class Mamba2Cut : public testing::TestWithParam<std::int64_t> {};

TEST_P(Mamba2Cut, GoesOnFromAState) {
  const std::int64_t tokens = GetParam(), cut = (tokens + 1) / 3;
  const Inputs in = random_inputs(tokens);
  const auto whole = fast(in, {});
  const auto rest = fast(in.cut(cut, tokens - cut), fast(in.cut(0, cut), {}).state);
  EXPECT_LT(max_diff(rest.output, whole.output.narrow(2, cut, tokens - cut)), 2e-5);
  EXPECT_LT(max_diff(rest.state, whole.state), 2e-5);
}

// A long pass is computed in several pieces, a short one in one.
TEST(Mamba2, LengthsBeyondWhatIsMadeAtOnceMatch) {
  const Inputs in = random_inputs(2500, 0.01);
  const auto slow = reference::mamba2(in.x, in.step, in.log_decay, in.input, in.readout, in.state);
  const auto own = fast(in, in.state);
  EXPECT_LT(max_diff(own.output, slow.output), 2e-5);
  EXPECT_LT(max_diff(own.state, slow.state), 2e-5);
}

TEST(Mamba2, ASequencesStepDoesNotDependOnItsNeighbours) {
  const Inputs in = random_inputs(1);
  const auto together = fast(in, in.state);
  for (std::int64_t i = 0; i < kBatch; ++i) {
    const auto own = [&](const at::Tensor& all) { return all.narrow(0, i, 1); };
    const auto alone = mamba2(own(in.x), own(in.step), own(in.log_decay), own(in.input),
                              own(in.readout), own(in.state));
    EXPECT_TRUE(at::equal(own(together.output), alone.output));
    EXPECT_TRUE(at::equal(own(together.state), alone.state));
  }
}

INSTANTIATE_TEST_SUITE_P(AroundChunkBoundaries, Mamba2Length,
                         testing::Values(1, 2, 3, 63, 64, 65, 127, 128, 129, 130, 320));
INSTANTIATE_TEST_SUITE_P(AroundChunkBoundaries, Mamba2Cut,
                         testing::Values(2, 3, 63, 64, 65, 127, 128, 129, 130, 320));

}  // namespace
}  // namespace niah::models
