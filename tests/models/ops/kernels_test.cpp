// The CPU kernels compared with tensor operations or a token-by-token reference. ctest runs these
// tests once for every instruction set.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/ops/attention.h"
#include "models/ops/cpu/applies.h"
#include "models/ops/cpu/kernels.h"
#include "models/ops/delta_rule.h"
#include "models/ops/gate.h"
#include "models/ops/lightning.h"
#include "models/ops/norm.h"
#include "models/ops/projection.h"
#include "models/ops/reference.h"
#include "models/ops/rotary.h"

namespace niah::models {
namespace {

class Kernels : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override { torch::manual_seed(1); }

  /// Random numbers in the type under test.
  at::Tensor draw(at::IntArrayRef shape) const { return torch::randn(shape).to(GetParam()); }

  /// Expects the same values up to a few roundings of the type under test, relative to the largest
  /// value.
  void expect_close(const at::Tensor& found, const at::Tensor& expected) const {
    ASSERT_EQ(found.sizes(), expected.sizes());
    EXPECT_EQ(found.scalar_type(), GetParam());
    const at::Tensor wide = expected.to(at::kDouble);
    const double largest = wide.abs().max().item<double>();
    const double difference = (found.to(at::kDouble) - wide).abs().max().item<double>();
    const double rounding = GetParam() == at::kFloat ? 1e-6 : 8e-3;
    EXPECT_LT(difference, 4 * rounding * (1 + largest));
  }
};

/// Heads [B, H, T, D] in the layout of a projection's output: a view of [B, T, H, D].
at::Tensor as_heads(const at::Tensor& x) { return x.transpose(1, 2); }

TEST_P(Kernels, TakeOverOnlyWhereNothingIsDifferentiated) {
  const at::Tensor x = draw({4, 32});
  EXPECT_TRUE(cpu::applies({x, x}));
  EXPECT_FALSE(cpu::applies({x, x.to(at::kDouble)}));
  EXPECT_FALSE(cpu::applies({x.to(at::kHalf)}));
  const at::Tensor trained = x.clone().set_requires_grad(true);
  EXPECT_FALSE(cpu::applies({x, trained}));
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(cpu::applies({x, trained}));
}

TEST_P(Kernels, NormIsTheReferencesForRowsAndForHeads) {
  for (const std::int64_t size : {16, 24, 64, 128, 200}) {
    const at::Tensor weight = draw({size});
    for (const at::Tensor& x : {draw({2, 7, size}), as_heads(draw({2, 5, 3, size}))})
      for (const NormRounding rounding : {NormRounding::kBeforeWeight, NormRounding::kAfterWeight})
        expect_close(rms_norm(x, weight, 1e-6, rounding), reference::rms_norm(x, weight, 1e-6));
  }
}

TEST_P(Kernels, NormRoundsBeforeTheWeightWhereTheCheckpointWasTrainedSo) {
  const at::Tensor x = draw({50, 64}), weight = draw({64});
  const at::Tensor quotient = reference::rms_norm(x, at::ones({64}), 1e-6);
  const at::Tensor expected = quotient.to(at::kDouble) * weight.to(at::kDouble);
  // Only the rounding of the product remains.
  const at::Tensor found = rms_norm(x, weight, 1e-6, NormRounding::kBeforeWeight).to(at::kDouble);
  const double allowed = GetParam() == at::kFloat ? 1e-6 : 1.0 / 256 + 1e-6;
  EXPECT_LT(((found - expected).abs() / (expected.abs() + 1e-3)).max().item<double>(), allowed);
}

TEST_P(Kernels, NormAddsOneToTheWeightInFullPrecision) {
  for (const std::int64_t size : {16, 20}) {  // with and without a kernel
    const at::Tensor x = draw({7, size}), weight = draw({size}) / 1000;
    const at::Tensor found = rms_norm(x, weight, 1e-6, NormRounding::kOnePlusWeight);
    const at::Tensor factor = weight.to(at::kDouble) + 1;
    expect_close(found, reference::rms_norm(x.to(at::kDouble), factor, 1e-6).to(GetParam()));
    const at::Tensor wide =
        rms_norm(x.to(at::kFloat), weight.to(at::kFloat), 1e-6, NormRounding::kOnePlusWeight);
    EXPECT_TRUE(at::equal(found, wide.to(GetParam())));
  }
}

TEST_P(Kernels, ProductsOfAFewRowsAreTheReferences) {
  for (const std::int64_t inputs : {16, 24, 512, 1536, 20})
    for (const std::int64_t outputs : {1, 3, 64, 131}) {
      const at::Tensor weight = draw({outputs, inputs}), bias = draw({outputs});
      for (const std::int64_t rows : {1, 2, 5, 16, 17, 100}) {
        const at::Tensor x = draw({1, rows, inputs});
        const at::Tensor expected =
            at::linear(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble));
        expect_close(project(x, weight, bias), expected);
        expect_close(project(x, weight), expected - bias.to(at::kDouble));
      }
    }
}

TEST_P(Kernels, AProductDoesNotDependOnTheRowsBesideIt) {
  for (const std::int64_t inputs : {64, 1536, 20}) {
    const at::Tensor weight = draw({67, inputs}), bias = draw({67});
    const at::Tensor x = draw({kFewRows, 1, inputs});
    for (std::int64_t rows = 1; rows <= kFewRows; ++rows) {
      const at::Tensor together = project(x.narrow(0, 0, rows), weight, bias);
      for (std::int64_t i = 0; i < rows; ++i)
        EXPECT_TRUE(at::equal(together.narrow(0, i, 1), project(x.narrow(0, i, 1), weight, bias)));
    }
  }
}

TEST_P(Kernels, RotaryTurnsPairsOfHalves) {
  for (const std::int64_t dim : {32, 64, 128, 24}) {
    const auto [cos, sin] = rotary_tables(rotary_frequencies(1e4, dim), 1000, 9);
    for (const at::Tensor& x : {draw({2, 3, 9, dim}), as_heads(draw({2, 9, 3, dim}))}) {
      const at::Tensor wide = x.to(at::kDouble);
      const at::Tensor c = cos.to(GetParam()).to(at::kDouble),
                       s = sin.to(GetParam()).to(at::kDouble);
      const auto half = wide.chunk(2, -1);
      expect_close(apply_rotary(x, cos, sin),
                   at::cat({half[0] * c - half[1] * s, half[1] * c + half[0] * s}, -1));
    }
  }
}

TEST_P(Kernels, GatesWorkForEveryCountAndNeverOverflow) {
  for (const std::int64_t count : {1, 15, 16, 17, 1000, 40000}) {
    const at::Tensor x = draw({count}), gate = draw({count}) * 40;
    const at::Tensor wide = x.to(at::kDouble), open = gate.to(at::kDouble);
    expect_close(silu_product(gate, x), at::silu(open) * wide);
    expect_close(sigmoid_product(x, gate), at::sigmoid(open) * wide);
  }
  const at::Tensor far = at::full({32}, -1e4, GetParam()), one = at::ones({32}, GetParam());
  EXPECT_EQ(silu_product(far, one).abs().max().item<double>(), 0);
  EXPECT_EQ(sigmoid_product(one, far).abs().max().item<double>(), 0);
}

TEST_P(Kernels, LightningIsTheRecurrence) {
  for (const std::int64_t dim : {32, 64, 24})
    for (const std::int64_t tokens : {1, 2, 15, 16, 17, 63, 64, 65, 130, 200}) {
      const std::int64_t heads = 4, kv_heads = 2;
      const at::Tensor q = as_heads(draw({2, tokens, heads, dim}));
      const at::Tensor k = draw({2, kv_heads, tokens, dim}) / 4;
      const at::Tensor v = as_heads(draw({2, tokens, kv_heads, dim}));
      const at::Tensor slopes = lightning_slopes(heads), state = torch::randn({2, heads, dim, dim});
      const at::Tensor before = state.clone();
      const auto wide = [&](const at::Tensor& x) {
        return x.to(at::kDouble).repeat_interleave(heads / x.size(1), 1);
      };
      const LightningResult found = lightning_attention(q, k, v, slopes, 0.2, state);
      const LightningResult expected = reference::lightning_attention(
          wide(q), wide(k), wide(v), slopes.to(at::kDouble), 0.2, state.to(at::kDouble));
      expect_close(found.output, expected.output);
      EXPECT_LT((found.state - expected.state).abs().max().item<double>(), 1e-4) << tokens;
      EXPECT_TRUE(at::equal(state, before)) << "a mark shares the state: it must not change";
    }
}

TEST(DeltaRuleKernel, IsTheRecurrenceWhateverTheLayout) {
  torch::manual_seed(2);
  for (const auto& [keys, values] : {std::pair{16, 32}, {64, 16}, {96, 192}, {24, 40}})
    for (const std::int64_t tokens : {1, 2, 15, 17, 63, 64, 65, 130}) {
      const std::int64_t heads = 3;
      const at::Tensor q = as_heads(torch::randn({2, tokens, heads, keys})) / 4;
      at::Tensor k = as_heads(torch::randn({2, tokens, heads, keys}));
      k = k / k.norm(2, -1, /*keepdim=*/true);
      const at::Tensor v = torch::randn({2, heads, tokens, values});
      const at::Tensor g = -at::softplus(3 * torch::randn({2, tokens, heads})).transpose(1, 2);
      const at::Tensor beta = at::sigmoid(torch::randn({2, tokens, heads})).transpose(1, 2);
      const at::Tensor state = torch::randn({2, heads, keys, values}), before = state.clone();
      const DeltaRuleResult found = gated_delta_rule(q, k, v, g, beta, state);
      const DeltaRuleResult expected = reference::gated_delta_rule(q, k, v, g, beta, state);
      EXPECT_LT((found.output - expected.output).abs().max().item<double>(), 1e-4) << tokens;
      EXPECT_LT((found.state - expected.state).abs().max().item<double>(), 1e-4) << tokens;
      EXPECT_TRUE(at::equal(state, before)) << "a mark shares the state: it must not change";
    }
}

TEST(DeltaRuleKernel, StrongDecaysLeaveNoNaN) {
  const at::Tensor x = torch::randn({1, 1, 130, 32}) / 6, beta = at::full({1, 1, 130}, 0.5F);
  for (const float g : {-0.0F, -1e-4F, -50.0F, -1000.0F}) {
    const DeltaRuleResult found =
        gated_delta_rule(x, x, x, at::full({1, 1, 130}, g), beta, torch::randn({1, 1, 32, 32}));
    EXPECT_TRUE(at::isfinite(found.output).all().item<bool>()) << g;
    EXPECT_TRUE(at::isfinite(found.state).all().item<bool>()) << g;
  }
}

TEST_P(Kernels, AttentionIsTheReferences) {
  for (const std::int64_t dim : {32, 64, 40})
    for (const auto& [heads, kv_heads] : {std::pair{4, 2}, {6, 1}, {3, 3}, {16, 2}})
      for (const auto& [rows, keys] : {std::pair{2, 2}, {5, 5}, {7, 300}, {130, 130}, {300, 411}}) {
        const at::Tensor q = as_heads(draw({2, rows, heads, dim}));
        const at::Tensor k =
            draw({2, kv_heads, keys + 9, dim}).narrow(2, 0, keys);  // as in a cache
        const at::Tensor v = as_heads(draw({2, keys, kv_heads, dim}));
        expect_close(attend_cached(q, k, v, 0.3), reference::softmax_attention(q, k, v, 0.3));
      }
}

TEST_P(Kernels, AttentionTakesEveryHeadSizeAndOneRow) {
  for (const std::int64_t dim : {80, 96, 128, 256})
    for (const auto& [rows, keys] : {std::pair{1, 1}, {1, 97}, {1, 4500}, {33, 200}}) {
      const at::Tensor q = as_heads(draw({2, rows, 6, dim}));
      const at::Tensor k = draw({2, 2, keys + 9, dim}).narrow(2, 0, keys);
      const at::Tensor v = draw({2, 2, keys + 9, dim}).narrow(2, 0, keys);
      expect_close(attend_cached(q, k, v, 0.1), reference::softmax_attention(q, k, v, 0.1));
    }
}

TEST_P(Kernels, AttentionSeesAWindowOfTheKeys) {
  for (const std::int64_t window : {1, 8, 96, 150})
    for (const auto& [rows, keys] : {std::pair{1, 300}, {5, 5}, {130, 130}, {300, 411}}) {
      const at::Tensor q = draw({1, 6, rows, 32});
      const at::Tensor k = draw({1, 2, keys, 32}), v = draw({1, 2, keys, 32});
      expect_close(attend_window(q, k, v, window, 0.3),
                   reference::window_attention(q, k, v, window, 0.3));
    }
}

TEST_P(Kernels, AttentionIsTheSameForAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  for (const std::int64_t rows : {1, 300}) {
    const at::Tensor q = draw({1, 4, rows, 64});
    const at::Tensor k = draw({1, 1, 9000, 64}), v = draw({1, 1, 9000, 64});
    at::set_num_threads(1);
    const at::Tensor alone = attend_cached(q, k, v, 0.125);
    at::set_num_threads(3);
    EXPECT_TRUE(at::equal(attend_cached(q, k, v, 0.125), alone)) << rows;
    at::set_num_threads(threads);
  }
}

TEST_P(Kernels, AttentionKeepsExtremesApart) {
  // Scores of some hundreds, whose exponentials overflow; fp32 represents them to 1e-4.
  const at::Tensor k = draw({1, 1, 200, 32}), v = draw({1, 1, 200, 32});
  const at::Tensor q = draw({1, 2, 100, 32}) * 10;
  const at::Tensor expected = reference::softmax_attention(q, k, v, 5).to(at::kDouble);
  const at::Tensor found = attend_cached(q, k, v, 5).to(at::kDouble);
  EXPECT_LT((found - expected).abs().max().item<double>(), GetParam() == at::kFloat ? 1e-3 : 0.1);
}

TEST_P(Kernels, AttentionDoesNotHideWhatIsNotANumber) {
  const at::Tensor q = draw({1, 2, 20, 32}), v = draw({1, 1, 200, 32});
  at::Tensor k = draw({1, 1, 200, 32});
  k.select(2, 100).fill_(NAN);
  const at::Tensor output = attend_cached(q, k, v, 0.3);
  EXPECT_TRUE(at::isnan(output).all().item<bool>());
}

TEST_P(Kernels, LightningForgetsWithoutLeavingNotANumber) {
  const at::Tensor x = draw({1, 2, 64, 32});
  const at::Tensor slopes = at::tensor({100.0F, 1e-6F});
  const LightningResult found = lightning_attention(x, x, x, slopes, 1, {});
  EXPECT_TRUE(at::isfinite(found.output).all().item<bool>());
  EXPECT_TRUE(at::isfinite(found.state).all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Types, Kernels, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& type) { return std::string(c10::toString(type.param)); });

}  // namespace
}  // namespace niah::models
