#include "models/ops/attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <tuple>

#include "models/ops/norm.h"
#include "models/ops/reference.h"
#include "models/ops/rotary.h"

namespace niah::models {
namespace {

double max_diff(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// rows, keys, heads, kv heads, head size
using Shape = std::tuple<int, int, int, int, int>;
class AttentionShape : public testing::TestWithParam<Shape> {};

TEST_P(AttentionShape, MatchesTheReferenceRowByRow) {
  const auto [rows, keys, heads, kv_heads, dim] = GetParam();
  torch::manual_seed(keys);
  const at::Tensor q = torch::randn({1, heads, rows, dim});
  // The cache returns views of a larger buffer, so keys are not contiguous across heads.
  const at::Tensor k = torch::randn({1, kv_heads, keys + 9, dim}).narrow(2, 0, keys);
  const at::Tensor v = torch::randn({1, kv_heads, keys + 9, dim}).narrow(2, 0, keys);
  const at::Tensor expected = reference::softmax_attention(q, k, v, 0.3);
  EXPECT_LT(max_diff(attend_cached(q, k, v, 0.3), expected), 1e-5);
  if (rows != keys) return;
  EXPECT_LT(max_diff(attend_whole(q, k, v, 0.3), expected), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionShape,
                         testing::Values(Shape{1, 1, 4, 2, 16}, Shape{1, 300, 4, 2, 64},
                                         Shape{2, 2, 4, 1, 16}, Shape{4, 77, 6, 3, 24},
                                         Shape{1, 5000, 7, 1, 64}, Shape{16, 3000, 6, 2, 128},
                                         Shape{3, 65, 5, 5, 7}, Shape{5, 5, 4, 2, 16},
                                         Shape{36, 700, 4, 2, 64}, Shape{64, 64, 8, 8, 32},
                                         Shape{130, 999, 6, 2, 24}, Shape{257, 600, 4, 1, 128}));

TEST(Attention, FewRowsInBf16AreAsExactAsTheirInput) {
  torch::manual_seed(1);
  const auto make = [](std::vector<std::int64_t> shape) {
    return torch::randn(shape).to(at::kBFloat16);
  };
  const at::Tensor q = make({2, 6, 3, 64}), k = make({2, 2, 1500, 64}), v = make({2, 2, 1500, 64});
  const at::Tensor expected =
      reference::softmax_attention(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), 0.125);
  // Rounded to bf16 on the way: the attention weights, two partial sums and their total.
  EXPECT_LT(max_diff(attend_cached(q, k, v, 0.125).to(at::kFloat), expected),
            expected.abs().max().item<double>() / 100);
}

TEST(Attention, OneLargeScoreDoesNotOverflow) {
  at::Tensor k = torch::zeros({1, 1, 200, 16});
  k.select(2, 150).fill_(100);
  const at::Tensor v =
      torch::arange(200).to(at::kFloat).reshape({1, 1, 200, 1}).expand({1, 1, 200, 16});
  const at::Tensor out = attend_cached(torch::full({1, 1, 1, 16}, 1.0F), k, v, 1);
  EXPECT_FLOAT_EQ(out.min().item<float>(), 150);
}

// rows, keys, window
using WindowShape = std::tuple<int, int, int>;
class WindowAttention : public testing::TestWithParam<WindowShape> {};

TEST_P(WindowAttention, SeesTheLastKeysOnly) {
  const auto [rows, keys, window] = GetParam();
  torch::manual_seed(keys);
  const at::Tensor q = torch::randn({1, 6, rows, 24});
  const at::Tensor k = torch::randn({1, 2, keys, 24}), v = torch::randn({1, 2, keys, 24});
  const at::Tensor expected = reference::window_attention(q, k, v, window, 0.3);
  EXPECT_LT(max_diff(attend_window(q, k, v, window, 0.3), expected), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Shapes, WindowAttention,
                         testing::Values(WindowShape{1, 1, 1}, WindowShape{1, 40, 8},
                                         WindowShape{5, 5, 8}, WindowShape{5, 30, 1},
                                         WindowShape{300, 300, 72}, WindowShape{129, 400, 150},
                                         WindowShape{256, 256, 1000}, WindowShape{200, 280, 81}));

TEST(Rotary, YarnWithFactorOneChangesNothing) {
  const YarnScaling none{.factor = 1, .original_positions = 4096};
  EXPECT_LT(max_diff(yarn_frequencies(1e6, 128, none), rotary_frequencies(1e6, 128)), 1e-9);
  const YarnScaling four{.factor = 4, .original_positions = 32768};
  const at::Tensor scaled = yarn_frequencies(1e6, 128, four), plain = rotary_frequencies(1e6, 128);
  EXPECT_EQ(scaled[0].item<float>(), plain[0].item<float>());
  EXPECT_NEAR(scaled[63].item<float>(), plain[63].item<float>() / 4, 1e-9);
}

TEST(RmsNorm, MatchesTheReference) {
  torch::manual_seed(3);
  const at::Tensor x = torch::randn({2, 5, 96}) * 3, weight = torch::rand({96}) + 0.5;
  EXPECT_LT(max_diff(rms_norm(x, weight, 1e-6), reference::rms_norm(x, weight, 1e-6)), 2e-6);
}

TEST(RmsNorm, RoundsBeforeTheWeightInBf16) {
  torch::manual_seed(4);
  const at::Tensor x = torch::randn({3, 64}).to(at::kBFloat16);
  const at::Tensor weight = (torch::rand({64}) + 0.5).to(at::kBFloat16);
  const at::Tensor ones = at::ones({64}, at::kFloat);
  const at::Tensor normed = reference::rms_norm(x.to(at::kFloat), ones, 1e-6).to(at::kBFloat16);
  EXPECT_TRUE(at::equal(rms_norm(x, weight, 1e-6), normed * weight));
}

TEST(RmsNorm, RoundsOnceBehindTheWeightWhereAskedTo) {
  torch::manual_seed(5);
  const at::Tensor x = torch::randn({3, 64}).to(at::kBFloat16);
  const at::Tensor weight = (torch::rand({64}) + 0.5).to(at::kBFloat16);
  const at::Tensor expected =
      reference::rms_norm(x.to(at::kFloat), weight.to(at::kFloat), 1e-6).to(at::kBFloat16);
  EXPECT_TRUE(at::equal(rms_norm(x, weight, 1e-6, NormRounding::kAfterWeight), expected));
}

}  // namespace
}  // namespace niah::models
