#include "models/ops/lightning.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/ops/reference.h"

namespace niah::models {
namespace {

constexpr double kTolerance = 2e-5;

struct Inputs {
  at::Tensor q, k, v, slopes, state;
};

Inputs random_inputs(std::int64_t tokens, std::int64_t heads = 6, std::int64_t dim = 24) {
  torch::manual_seed(tokens);
  const auto draw = [&] { return torch::randn({1, heads, tokens, dim}); };
  return {draw(), draw(), draw(), lightning_slopes(heads), torch::randn({1, heads, dim, dim})};
}

double max_diff(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / (1 + b.abs().max().item<double>());
}

class LightningLength : public testing::TestWithParam<std::int64_t> {};

TEST_P(LightningLength, MatchesTheRecurrence) {
  const Inputs in = random_inputs(GetParam());
  const auto fast = lightning_attention(in.q, in.k, in.v, in.slopes, 0.2, in.state);
  const auto slow = reference::lightning_attention(in.q, in.k, in.v, in.slopes, 0.2, in.state);
  EXPECT_LT(max_diff(fast.output, slow.output), kTolerance);
  EXPECT_LT(max_diff(fast.state, slow.state), kTolerance);
}

class LightningCut : public testing::TestWithParam<std::int64_t> {};

TEST_P(LightningCut, PrefillIsPrefillOfAllButOnePlusDecode) {
  const std::int64_t tokens = GetParam();
  const Inputs in = random_inputs(tokens);
  const auto whole = lightning_attention(in.q, in.k, in.v, in.slopes, 1, {});
  const auto head =
      lightning_attention(in.q.narrow(2, 0, tokens - 1), in.k.narrow(2, 0, tokens - 1),
                          in.v.narrow(2, 0, tokens - 1), in.slopes, 1, {});
  const auto last =
      lightning_attention(in.q.narrow(2, tokens - 1, 1), in.k.narrow(2, tokens - 1, 1),
                          in.v.narrow(2, tokens - 1, 1), in.slopes, 1, head.state);
  EXPECT_LT(max_diff(last.output, whole.output.narrow(2, tokens - 1, 1)), kTolerance);
  EXPECT_LT(max_diff(last.state, whole.state), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(AroundChunkBoundaries, LightningLength,
                         testing::Values(1, 2, 3, 63, 64, 65, 127, 128, 129, 130, 200, 320));
INSTANTIATE_TEST_SUITE_P(AroundChunkBoundaries, LightningCut,
                         testing::Values(2, 3, 63, 64, 65, 127, 128, 129, 130, 200, 320));

TEST(LightningSlopes, AreAlibisForPowersOfTwo) {
  const at::Tensor slopes = lightning_slopes(16);
  EXPECT_NEAR(slopes[0].item<double>(), 0.70710678, 1e-6);
  EXPECT_NEAR(slopes[15].item<double>(), 0.00390625, 1e-9);
}

TEST(LightningSlopes, FillUpWithEveryOtherOfTheFinerOnes) {
  const at::Tensor slopes = lightning_slopes(6);
  const std::vector<double> expected = {0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125};
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(slopes[static_cast<std::int64_t>(i)].item<double>(), expected[i], 1e-9) << i;
}

TEST(Lightning, LongDecayNeitherOverflowsNorForgetsTheSlowHeads) {
  const Inputs in = random_inputs(4096, 4, 16);
  const auto result = lightning_attention(in.q, in.k, in.v, in.slopes, 1, in.state);
  EXPECT_TRUE(at::isfinite(result.output).all().item<bool>());
  EXPECT_TRUE(at::isfinite(result.state).all().item<bool>());
}

}  // namespace
}  // namespace niah::models
