// Multi-head latent attention, in both ways of computing it.
#include "models/arch/latent_attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "models/ops/reference.h"
#include "models/training/trainer.h"

namespace niah::models {
namespace {

constexpr LatentAttentionShape kShape = {
    .d = 48, .heads = 3, .own_dim = 16, .shared_dim = 16, .value_dim = 8, .rank = 32, .bias = true};

std::shared_ptr<LatentAttention> make(const LatentAttentionShape& shape) {
  RandomSource source(7, 1);
  const auto mixer = std::make_shared<LatentAttention>(shape, source, "attn");
  torch::manual_seed(3);
  const at::NoGradGuard no_grad;
  for (at::Tensor& parameter : mixer->parameters())
    parameter.add_(0.3 * at::randn_like(parameter)).set_requires_grad(false);
  return mixer;
}

/// The reference: explicit keys and values, one query after another.
at::Tensor by_equations(const LatentAttention& mixer, const at::Tensor& x) {
  const LatentAttentionShape& s = mixer.shape;
  const auto heads = [&](const at::Tensor& all) {
    return all.unflatten(-1, {s.heads, -1}).transpose(1, 2);
  };
  const at::Tensor both = (*mixer.kv_a_proj_with_mqa)(x);
  const at::Tensor latent = reference::rms_norm(both.narrow(-1, 0, s.rank).contiguous(),
                                                mixer.kv_a_layernorm->weight, 1e-6);
  const at::Tensor shared = both.narrow(-1, s.rank, s.shared_dim).unsqueeze(1);
  const at::Tensor made = heads((*mixer.kv_b_proj)(latent));
  const at::Tensor key =
      at::cat({made.narrow(-1, 0, s.own_dim), shared.expand({-1, s.heads, -1, -1})}, -1);
  const at::Tensor o = reference::softmax_attention(
      heads((*mixer.q_proj)(x)), key, made.narrow(-1, s.own_dim, s.value_dim),
      1 / std::sqrt(static_cast<double>(s.own_dim + s.shared_dim)));
  return (*mixer.o_proj)(merge_heads(o));
}

double max_diff(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(LatentAttention, IsWhatTheEquationsSayForFewQueriesAndForMany) {
  const auto mixer = make(kShape);
  ASSERT_EQ(kShape.latent_rows(), 24);
  const at::Tensor x = torch::randn({1, 60, kShape.d});
  const at::Tensor expected = by_equations(*mixer, x);
  ASSERT_GT(expected.abs().max().item<double>(), 0.1);
  for (const std::int64_t most :
       {std::int64_t{1} << 26, std::int64_t{1}}) {  // all heads together, then one at a time
    mixer->most_made = most;
    for (const std::int64_t rows : {60, 25, 24, 2, 1}) {
      LayerState state;
      const at::Tensor out = mixer->mix(x, &state, {{0}, 60, {}, {}}, rows);
      EXPECT_LT(max_diff(out, last_rows(expected, rows)), 2e-5) << rows << " " << most;
    }
    EXPECT_LT(max_diff(mixer->mix(x, nullptr, {{0}, 60, {}, {}}, 60), expected), 2e-5) << most;
  }
}

TEST(LatentAttention, GoesOnFromWhatItKept) {
  const auto mixer = make(kShape);
  const at::Tensor x = torch::randn({1, 60, kShape.d});
  const at::Tensor expected = by_equations(*mixer, x);
  LayerState state;
  std::int64_t at = 0;
  for (const std::int64_t size : {30, 1, 5, 1, 23}) {
    const at::Tensor out = mixer->mix(x.narrow(1, at, size), &state, {{at}, size, {}, {}}, size);
    EXPECT_LT(max_diff(out, expected.narrow(1, at, size)), 2e-5) << at;
    at += size;
  }
  EXPECT_EQ(mixer->describe().cost.kv_values, 32 + 16);
  state.cache = state.cache.copy(60);
  EXPECT_EQ(state.cache.bytes(), 60 * (32 + 16) * 4);
}

TEST(LatentAttention, OfValuesWiderThanKeys) {
  LatentAttentionShape shape = kShape;
  shape.value_dim = 40;
  const auto mixer = make(shape);
  const at::Tensor x = torch::randn({1, 90, shape.d});
  const at::Tensor expected = by_equations(*mixer, x);
  for (const std::int64_t rows : {90, 3}) {
    LayerState state;
    const at::Tensor out = mixer->mix(x, &state, {{0}, 90, {}, {}}, rows);
    EXPECT_LT(max_diff(out, last_rows(expected, rows)), 2e-5) << rows;
  }
  EXPECT_LT(max_diff(mixer->mix(x, nullptr, {{0}, 90, {}, {}}, 90), expected), 2e-5);
}

}  // namespace
}  // namespace niah::models
