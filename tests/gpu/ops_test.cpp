// Every op on the device that NIAH_GPU_DEVICE names (by default the CPU) against the slow reference
// in fp64 on the CPU: in fp32 up to rounding, in bf16 up to the rounding of its inputs and output.
// Sizes are those of real models; texts are short, since the references are slow.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cstdlib>
#include <tuple>

#include "models/device.h"
#include "models/ops/attention.h"
#include "models/ops/delta_rule.h"
#include "models/ops/experts.h"
#include "models/ops/gate.h"
#include "models/ops/lightning.h"
#include "models/ops/mamba2.h"
#include "models/ops/norm.h"
#include "models/ops/projection.h"
#include "models/ops/reference.h"
#include "models/ops/rotary.h"
#include "models/ops/short_convolution.h"

namespace niah::models {
namespace {

at::Device device() {
  const char* name = std::getenv("NIAH_GPU_DEVICE");
  return find_device(name != nullptr ? name : "cpu");
}

at::Tensor there(const at::Tensor& x) { return x.defined() ? x.to(device()) : x; }

/// The largest difference, relative to the largest expected value.
double difference(const at::Tensor& got, const at::Tensor& expected) {
  const at::Tensor wide = expected.cpu().to(at::kDouble);
  return (got.cpu().to(at::kDouble) - wide).abs().max().item<double>() /
         (1e-3 + wide.abs().max().item<double>());
}

double tolerance(at::ScalarType type) { return type == at::kFloat ? 3e-5 : 2e-2; }

class OnDevice : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override { torch::manual_seed(3); }
  at::Tensor draw(at::IntArrayRef shape) const { return at::randn(shape).to(GetParam()); }
  const at::NoGradGuard no_grad_;
};

TEST_P(OnDevice, SoftmaxAttention) {
  // rows, keys, heads, kv heads, head size
  for (const auto& [rows, keys, heads, kv_heads, dim] : {std::tuple{1, 1, 4, 4, 64},
                                                         {1, 700, 16, 4, 256},
                                                         {1, 1500, 14, 2, 64},
                                                         {5, 5, 8, 2, 128},
                                                         {130, 130, 8, 2, 64},
                                                         {64, 900, 16, 8, 128},
                                                         {257, 600, 4, 1, 128},
                                                         {33, 500, 6, 6, 80},
                                                         {40, 300, 4, 2, 192}}) {
    const at::Tensor q = draw({1, heads, rows, dim});
    const at::Tensor k = draw({1, kv_heads, keys + 9, dim}).narrow(2, 0, keys);
    const at::Tensor v = draw({1, kv_heads, keys + 9, dim}).narrow(2, 0, keys);
    const at::Tensor expected =
        reference::softmax_attention(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), 0.1);
    EXPECT_LT(difference(attend_cached(there(q), there(k), there(v), 0.1), expected),
              tolerance(GetParam()))
        << rows << " of " << keys << ", head size " << dim;
  }
}

TEST_P(OnDevice, SlidingWindows) {
  for (const auto& [rows, keys, window] : {std::tuple{1, 1, 8},
                                           {1, 40, 8},
                                           {64, 64, 16},
                                           {200, 263, 64},
                                           {300, 300, 1000},
                                           {130, 257, 128}}) {
    const at::Tensor q = draw({1, 8, rows, 64});
    const at::Tensor k = draw({1, 2, keys, 64}), v = draw({1, 2, keys, 64});
    const at::Tensor expected = reference::window_attention(q.to(at::kFloat), k.to(at::kFloat),
                                                            v.to(at::kFloat), window, 0.125);
    EXPECT_LT(difference(attend_window(there(q), there(k), there(v), window, 0.125), expected),
              tolerance(GetParam()))
        << rows << " of " << keys << ", window " << window;
  }
}

TEST_P(OnDevice, Lightning) {
  const at::Tensor slopes = lightning_slopes(16);
  for (const std::int64_t tokens : {1, 63, 64, 130, 321}) {
    const at::Tensor q = draw({1, 16, tokens, 128}), k = draw({1, 8, tokens, 128});
    const at::Tensor v = draw({1, 8, tokens, 128}), state = at::randn({1, 16, 128, 128});
    const auto wide = [](const at::Tensor& x) { return x.to(at::kFloat).repeat_interleave(2, 1); };
    const auto slow =
        reference::lightning_attention(q.to(at::kFloat), wide(k), wide(v), slopes, 0.1, state);
    const auto own =
        lightning_attention(there(q), there(k), there(v), there(slopes), 0.1, there(state));
    EXPECT_LT(difference(own.output, slow.output), tolerance(GetParam())) << tokens;
    EXPECT_LT(difference(own.state, slow.state), tolerance(at::kFloat)) << tokens;
  }
}

TEST_P(OnDevice, ShortConvolution) {
  const at::Tensor x = draw({2, 70, 96}), weight = draw({96, 1, 4}), bias = draw({96});
  for (const at::Tensor& b : {bias, at::Tensor()}) {
    const at::Tensor expected = reference::short_convolution(
        x.to(at::kFloat), weight.to(at::kFloat), b.defined() ? b.to(at::kFloat) : b);
    const at::Tensor whole = short_convolution(there(x), there(weight), there(b), {}).output;
    EXPECT_LT(difference(whole, expected), tolerance(GetParam()));
    const auto first = short_convolution(there(x.narrow(1, 0, 33)), there(weight), there(b), {});
    const auto rest =
        short_convolution(there(x.narrow(1, 33, 37)), there(weight), there(b), first.tail);
    EXPECT_LT(difference(at::cat({first.output, rest.output}, 1), expected), tolerance(GetParam()));
  }
}

TEST_P(OnDevice, RmsNorm) {
  const at::Tensor x = draw({2, 9, 2048}), weight = draw({2048});
  const at::Tensor plain = reference::rms_norm(x.to(at::kFloat), weight.to(at::kFloat), 1e-6);
  for (const NormRounding rounding : {NormRounding::kBeforeWeight, NormRounding::kAfterWeight})
    EXPECT_LT(difference(rms_norm(there(x), there(weight), 1e-6, rounding), plain),
              tolerance(GetParam()));
  const at::Tensor more = reference::rms_norm(x.to(at::kFloat), weight.to(at::kFloat) + 1, 1e-6);
  EXPECT_LT(difference(rms_norm(there(x), there(weight), 1e-6, NormRounding::kOnePlusWeight), more),
            tolerance(GetParam()));
}

// Sums and products in the activations' type are rounded as on the CPU.
TEST_P(OnDevice, RotaryGatesAndProjections) {
  const at::Tensor x = draw({2, 4, 7, 64}), frequencies = rotary_frequencies(1e6, 32);
  const auto rotated = [&](const at::Tensor& heads, const at::Tensor& own) {
    const auto [cos, sin] = rotary_tables(own, {5, 200000}, 7);
    return apply_rotary(heads, cos, sin);
  };
  EXPECT_LT(difference(rotated(there(x), there(frequencies)), rotated(x, frequencies)),
            GetParam() == at::kFloat ? 1e-4 : 2e-2);  // near 200,000 fp32 values are 0.016 apart
  const at::Tensor a = draw({2, 5, 256}), b = draw({2, 5, 256}), w = draw({96, 256});
  const at::Tensor wide_a = a.to(at::kDouble), wide_b = b.to(at::kDouble);
  EXPECT_LT(difference(silu_product(there(a), there(b)), at::silu(wide_a) * wide_b),
            tolerance(GetParam()));
  EXPECT_LT(difference(sigmoid_product(there(a), there(b)), wide_a * at::sigmoid(wide_b)),
            tolerance(GetParam()));
  EXPECT_LT(difference(project(there(a), there(w)), at::linear(wide_a, w.to(at::kDouble))),
            tolerance(GetParam()));
}

TEST_P(OnDevice, Experts) {
  const at::Tensor x = draw({2, 50, 64}), up = draw({8, 128, 64}), down = draw({8, 64, 64});
  const Routing routing = route_by_softmax(at::randn({2, 50, 8}), 3, true, GetParam());
  const auto run = [](const at::Tensor& first, const at::Tensor& second) {
    return [first, second](std::int64_t expert, const at::Tensor& tokens) {
      const auto halves = at::linear(tokens, first[expert]).chunk(2, -1);
      return at::linear(at::silu(halves[0]) * halves[1], second[expert]);
    };
  };
  const at::Tensor expected =
      reference::mix_experts(x.to(at::kDouble), {routing.experts, routing.weights.to(at::kDouble)},
                             8, run(up.to(at::kDouble), down.to(at::kDouble)));
  EXPECT_LT(difference(mix_experts(there(x), {there(routing.experts), there(routing.weights)}, 8,
                                   run(there(up), there(down))),
                       expected),
            tolerance(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Types, OnDevice, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) {
                           return info.param == at::kFloat ? "fp32" : "bf16";
                         });

TEST(OnDeviceFp32, GatedDeltaRule) {
  for (const std::int64_t tokens : {1, 63, 64, 130, 1100})
    for (const double decay : {0.05, 3.0})
      for (const bool by_channel : {false, true}) {
        torch::manual_seed(tokens);
        const at::NoGradGuard no_grad;
        const at::Tensor q = at::randn({1, 4, tokens, 64});
        const at::Tensor k = q.flip(2) / q.flip(2).norm(2, -1, /*keepdim=*/true);
        const at::Tensor v = at::randn({1, 8, tokens, 48}), beta = 2 * at::rand({1, 8, tokens});
        const at::Tensor g =
            -decay * (by_channel ? at::rand({1, 8, tokens, 64}) : at::rand({1, 8, tokens}));
        const at::Tensor state = at::randn({1, 8, 64, 48});
        const auto own = gated_delta_rule(there(q * 0.1), there(k), there(v), there(g), there(beta),
                                          there(state));
        const auto slow = reference::gated_delta_rule(0.1 * q.repeat_interleave(2, 1),
                                                      k.repeat_interleave(2, 1), v, g, beta, state);
        EXPECT_LT(difference(own.output, slow.output), 1e-4) << tokens << " " << decay;
        EXPECT_LT(difference(own.state, slow.state), 1e-4) << tokens << " " << decay;
      }
}

TEST(OnDeviceFp32, Mamba2) {
  for (const std::int64_t tokens : {1, 63, 64, 130, 1100})
    for (const double rate : {0.05, 3.0}) {
      torch::manual_seed(tokens);
      const at::NoGradGuard no_grad;
      const at::Tensor x = at::randn({2, 8, tokens, 64}), step = at::rand({2, 8, tokens});
      const at::Tensor input = at::randn({2, 2, tokens, 128});
      const at::Tensor readout = at::randn({2, 2, tokens, 128});
      const at::Tensor state = at::randn({2, 8, 64, 128});
      const auto own = mamba2(there(x), there(step), there(-rate * step), there(input),
                              there(readout), there(state));
      const auto slow = reference::mamba2(x, step, -rate * step, input, readout, state);
      EXPECT_LT(difference(own.output, slow.output), 3e-5) << tokens << " " << rate;
      EXPECT_LT(difference(own.state, slow.state), 3e-5) << tokens << " " << rate;
    }
}

// Sequences at different positions get the same tables as each does alone.
TEST(OnDeviceFp32, TablesOfSeveralPositions) {
  const at::Tensor frequencies = there(rotary_frequencies(1e6, 64));
  const auto [cos, sin] = rotary_tables(frequencies, {0, 7, 262000}, 3);
  for (const auto& [i, first] : {std::pair<int, std::int64_t>{0, 0}, {1, 7}, {2, 262000}}) {
    const auto [own_cos, own_sin] = rotary_tables(frequencies, first, 3);
    EXPECT_TRUE(at::equal(cos[i], own_cos)) << first;
    EXPECT_TRUE(at::equal(sin[i], own_sin)) << first;
  }
}

}  // namespace
}  // namespace niah::models
