#include "models/ops/delta_rule.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/ops/reference.h"

namespace niah::models {
namespace {

struct Inputs {
  at::Tensor q, k, v, g, beta, state;
};

Inputs random_inputs(std::int64_t tokens, double decay = 1, std::int64_t key_dim = 24) {
  torch::manual_seed(tokens);
  const std::int64_t kHeads = 5, kKey = key_dim, kValue = key_dim + 16;
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

/// Inputs with a decay for each channel. A share `strong` of the decays is up to `decay` per token,
/// the others are small.
Inputs channel_inputs(std::int64_t tokens, double decay, double strong, std::int64_t key_dim = 24) {
  Inputs in = random_inputs(tokens, 1, key_dim);
  const at::Tensor is_strong = torch::rand(in.k.sizes()).lt(strong).to(at::kFloat);
  in.g = -decay * torch::rand(in.k.sizes()) * is_strong - 1e-3 * torch::rand(in.k.sizes());
  return in;
}

TEST_P(DeltaRuleLength, MatchesTheRecurrenceWithADecayForEachChannel) {
  for (const double decay : {0.0, 0.05, 1.0, 30.0, 1e4})
    for (const auto& [strong, key_dim] : {std::pair{0.1, 32}, {1.0, 32}, {0.5, 20}}) {
      const Inputs in = channel_inputs(GetParam(), decay, strong, key_dim);  // 20 has no kernel
      const at::Tensor beta = 2 * in.beta;
      const auto fast = gated_delta_rule(in.q, in.k, in.v, in.g, beta, in.state);
      const auto slow = reference::gated_delta_rule(in.q, in.k, in.v, in.g, beta, in.state);
      EXPECT_LT(max_diff(fast.output, slow.output), 2e-5) << decay << " " << strong;
      EXPECT_LT(max_diff(fast.state, slow.state), 2e-5) << decay << " " << strong;
    }
}

TEST(DeltaRule, WithADecayForEachChannelIsTheOneWithOneWhereTheyAreEqual) {
  for (const std::int64_t tokens : {1, 5, 64, 150}) {
    const Inputs in = random_inputs(tokens);
    const auto one = gated_delta_rule(in.q, in.k, in.v, in.g, in.beta, in.state);
    const auto each =
        gated_delta_rule(in.q, in.k, in.v, in.g.unsqueeze(-1).expand_as(in.k), in.beta, in.state);
    EXPECT_LT(max_diff(each.output, one.output), 2e-5) << tokens;
    EXPECT_LT(max_diff(each.state, one.state), 2e-5) << tokens;
  }
}

// With these decays exp(c_i) exp(-c_j) would be zero times infinity.
TEST(DeltaRule, StrongDecaysOfChannelsNeitherOverflowNorTouchWeakOnes) {
  Inputs in = random_inputs(130);
  in.g = at::full(in.k.sizes(), -1e30);
  in.g.narrow(-1, 0, 12).fill_(-1e-4);
  const auto fast = gated_delta_rule(in.q, in.k, in.v, in.g, in.beta, in.state);
  const auto slow = reference::gated_delta_rule(in.q, in.k, in.v, in.g, in.beta, in.state);
  EXPECT_LT(max_diff(fast.output, slow.output), 2e-5);
  EXPECT_LT(max_diff(fast.state, slow.state), 2e-5);
}

TEST(DeltaRule, WithADecayForEachChannelIsDifferentiable) {
  const Inputs in = channel_inputs(70, 1, 1);
  const auto gradient = [&](const auto& rule) {
    const at::Tensor g = in.g.detach().clone().requires_grad_();
    const auto result = rule(in.q, in.k, in.v, g, in.beta, in.state);
    return torch::autograd::grad({result.output.square().sum() + result.state.sum()}, {g})[0];
  };
  EXPECT_LT(max_diff(gradient(gated_delta_rule), gradient(reference::gated_delta_rule)), 1e-4);
}

TEST(DeltaRule, SequencesOfOneTokenGetWhatEachGetsAlone) {
  const Inputs in = channel_inputs(7, 1, 1);  // used as seven sequences
  const auto turned = [](const at::Tensor& x) { return x.transpose(0, 2).contiguous(); };
  const at::Tensor states = torch::randn({7, 5, 24, 40});
  const at::Tensor q = turned(in.q), k = turned(in.k), v = turned(in.v), g = turned(in.g);
  const at::Tensor beta = turned(in.beta);
  const auto all = gated_delta_rule(q, k, v, g, beta, states);
  for (std::int64_t i = 0; i < 7; ++i) {
    const auto own = [&](const at::Tensor& x) { return x.narrow(0, i, 1); };
    const auto one = gated_delta_rule(own(q), own(k), own(v), own(g), own(beta), own(states));
    EXPECT_TRUE(at::equal(own(all.output), one.output)) << i;
    EXPECT_TRUE(at::equal(own(all.state), one.state)) << i;
  }
}

// One key head for two consecutive value heads, and betas up to 2.
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

// Inputs that are slices of larger tensors, as layers pass them.
TEST(DeltaRule, WithADecayForEachChannelTakesRowsOfLargerTensors) {
  torch::manual_seed(1);
  const std::int64_t tokens = 50;
  const at::Tensor all = torch::randn({2, tokens, 3, 4 * 32});  // [B, T, H, ...]
  const auto part = [&](std::int64_t i) { return all.narrow(-1, 32 * i, 32).transpose(1, 2); };
  const at::Tensor k = part(1) / part(1).norm(2, -1, /*keepdim=*/true);
  const at::Tensor g = -part(3).abs(), beta = torch::rand({2, 3, tokens});
  const auto fast = gated_delta_rule(part(0), k, part(2), g, beta, {});
  const auto slow = reference::gated_delta_rule(part(0), k, part(2), g, beta, {});
  EXPECT_LT(max_diff(fast.output, slow.output), 2e-5);
  EXPECT_LT(max_diff(fast.state, slow.state), 2e-5);
}

class DeltaRuleCut : public testing::TestWithParam<std::int64_t> {};

TEST_P(DeltaRuleCut, GoesOnFromAState) {
  const std::int64_t tokens = GetParam(), cut = (tokens + 1) / 3;
  for (const Inputs& in : {random_inputs(tokens), channel_inputs(tokens, 1, 0.5)}) {
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
}

INSTANTIATE_TEST_SUITE_P(AroundChunkBoundaries, DeltaRuleLength,
                         testing::Values(1, 2, 3, 63, 64, 65, 127, 128, 129, 130, 320));
INSTANTIATE_TEST_SUITE_P(AroundChunkBoundaries, DeltaRuleCut,
                         testing::Values(2, 3, 63, 64, 65, 127, 128, 129, 130, 320));

}  // namespace
}  // namespace niah::models
