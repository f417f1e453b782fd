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

// One key head for two value heads that follow each other, and betas up to 2.
TEST(DeltaRule, SharesKeyHeads) {
  for (const std::int64_t tokens : {1, 70, 130})
    for (const std::int64_t key_dim : {24, 32}) {  // without and with a kernel
      torch::manual_seed(tokens);
      const at::Tensor q = torch::randn({2, 3, tokens, key_dim});
      const at::Tensor k = q.flip(2) / q.flip(2).norm(2, -1, /*keepdim=*/true);
      const at::Tensor v = torch::randn({2, 6, tokens, 32});
      const at::Tensor g = -torch::rand({2, 6, tokens}), beta = 2 * torch::rand({2, 6, tokens});
      const auto shared = gated_delta_rule(q, k, v, g, beta, {});
      const auto slow = reference::gated_delta_rule(q.repeat_interleave(2, 1),
                                                    k.repeat_interleave(2, 1), v, g, beta, {});
      EXPECT_LT(max_diff(shared.output, slow.output), 1e-4) << tokens;
      EXPECT_LT(max_diff(shared.state, slow.state), 1e-4) << tokens;
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
