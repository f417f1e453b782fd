#include "models/ops/short_convolution.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include "models/ops/reference.h"

namespace niah::models {
namespace {

struct Inputs {
  at::Tensor x, weight, bias;
};

Inputs random_inputs(std::int64_t taps, at::ScalarType type) {
  torch::manual_seed(taps);
  return {at::randn({2, 37, 24}).to(type), at::randn({24, 1, taps}).to(type),
          at::randn({24}).to(type)};
}

TEST(ShortConvolution, IsTheSumOverTheLastTokens) {
  for (const std::int64_t taps : {1, 2, 3, 4, 40})
    for (const bool with_bias : {true, false}) {
      const Inputs in = random_inputs(taps, at::kFloat);
      const at::Tensor bias = with_bias ? in.bias : at::Tensor();
      const at::Tensor output = short_convolution(in.x, in.weight, bias, {}).output;
      const at::Tensor expected = reference::short_convolution(in.x, in.weight, bias);
      EXPECT_LT((output - expected).abs().max().item<float>(), 1e-5) << taps;
    }
}

TEST(ShortConvolution, RoundsOnceInBf16) {
  const Inputs in = random_inputs(4, at::kBFloat16);
  const at::Tensor output = short_convolution(in.x, in.weight, in.bias, {}).output;
  const at::Tensor wide =
      short_convolution(in.x.to(at::kFloat), in.weight.to(at::kFloat), in.bias.to(at::kFloat), {})
          .output;
  EXPECT_EQ(output.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(output, wide.to(at::kBFloat16)));
}

// Includes pieces shorter than the tail, for which part of the old tail must be kept.
TEST(ShortConvolution, DoesNotDependOnHowATextIsCut) {
  const Inputs in = random_inputs(4, at::kFloat);
  const auto whole = short_convolution(in.x, in.weight, in.bias, {});
  at::Tensor tail;
  std::vector<at::Tensor> outputs;
  std::int64_t at = 0;
  for (const std::int64_t size : {1, 1, 2, 5, 1, 20, 7}) {
    const auto part = short_convolution(in.x.narrow(1, at, size), in.weight, in.bias, tail);
    outputs.push_back(part.output);
    tail = part.tail;
    at += size;
  }
  EXPECT_EQ(at, in.x.size(1));
  EXPECT_TRUE(at::equal(at::cat(outputs, 1), whole.output));
  EXPECT_TRUE(at::equal(tail, whole.tail));
}

TEST(ShortConvolution, SequencesDoNotMix) {
  const Inputs in = random_inputs(3, at::kFloat);
  const at::Tensor both = short_convolution(in.x, in.weight, in.bias, {}).output;
  const at::Tensor second = in.x.narrow(0, 1, 1);
  EXPECT_TRUE(
      at::equal(both.narrow(0, 1, 1), short_convolution(second, in.weight, in.bias, {}).output));
}

}  // namespace
}  // namespace niah::models
