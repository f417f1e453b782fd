#include "models/ops/delta_rule.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "models/ops/reference.h"

namespace niah::models {
namespace {

struct Inputs {
  at::Tensor q, k, v, g, beta, state;
};

Inputs random_inputs(std::int64_t tokens, double decay = 1) {
  torch::manual_seed(tokens);
  constexpr std::int64_t kHeads = 5, kKey = 24, kValue = 40;
  const auto draw = [&](std::int64_t dim) { return torch::randn({1, kHeads, tokens, dim}); };
  const at::Tensor k = draw(kKey);
  return {draw(kKey),
          k / k.norm(2, -1, /*keepdim=*/true),
          draw(kValue),
          -decay * torch::rand({1, kHeads, tokens}),
          torch::rand({1, kHeads, tokens}),
          torch::randn({1, kHeads, kKey, kValue})};
}

double max_diff(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / (1 + b.abs().max().item<double>());
}

class DeltaRuleLength : public testing::TestWithParam<std::int64_t> {};

TEST_P(DeltaRuleLength, MatchesTheRecurrence) {
  for (const double decay : {0.0, 0.05, 1.0, 30.0}) {
    const Inputs in = random_inputs(GetParam(), decay);
    const auto fast = gated_delta_rule(in.q, in.k, in.v, in.g, in.beta, in.state);
    const auto slow = reference::gated_delta_rule(in.q, in.k, in.v, in.g, in.beta, in.state);
    EXPECT_LT(max_diff(fast.output, slow.output), 2e-5) << decay;
    EXPECT_LT(max_diff(fast.state, slow.state), 2e-5) << decay;
  }
}

class DeltaRuleCut : public testing::TestWithParam<std::int64_t> {};

TEST_P(DeltaRuleCut, GoesOnFromAState) {
  const Inputs in = random_inputs(GetParam());
  const std::int64_t tokens = GetParam(), cut = (tokens + 1) / 3;
  const auto part = [&](std::int64_t begin, std::int64_t count, const at::Tensor& state) {
    const auto piece = [&](const at::Tensor& x) { return x.narrow(2, begin, count); };
    return gated_delta_rule(piece(in.q), piece(in.k), piece(in.v), piece(in.g), piece(in.beta),
                            state);
  };
  const auto whole = part(0, tokens, {});
  const auto rest = part(cut, tokens - cut, part(0, cut, {}).state);
  EXPECT_LT(max_diff(rest.output, whole.output.narrow(2, cut, tokens - cut)), 2e-5);
  EXPECT_LT(max_diff(rest.state, whole.state), 2e-5);
}

INSTANTIATE_TEST_SUITE_P(AroundChunkBoundaries, DeltaRuleLength,
                         testing::Values(1, 2, 3, 63, 64, 65, 127, 128, 129, 130, 320));
INSTANTIATE_TEST_SUITE_P(AroundChunkBoundaries, DeltaRuleCut,
                         testing::Values(2, 3, 63, 64, 65, 127, 128, 129, 130, 320));

}  // namespace
}  // namespace niah::models
