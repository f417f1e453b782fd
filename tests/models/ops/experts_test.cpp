#include "models/ops/experts.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <set>

#include "models/ops/reference.h"

namespace niah::models {
namespace {

constexpr std::int64_t kExperts = 6, kSize = 16;

/// Experts that are single matrices.
struct Matrices {
  Matrices() {
    torch::manual_seed(1);
    weights = at::randn({kExperts, kSize, kSize});
  }
  at::Tensor run(std::int64_t expert, const at::Tensor& tokens) {
    ++runs;
    used.insert(expert);
    return at::matmul(tokens, weights[expert].t());
  }
  at::Tensor mix(const at::Tensor& x, const Routing& routing) {
    return mix_experts(x, routing, kExperts,
                       [&](std::int64_t e, const at::Tensor& t) { return run(e, t); });
  }
  at::Tensor weights;
  int runs = 0;
  std::set<std::int64_t> used;
};

at::Tensor logits_of(std::int64_t tokens) {
  torch::manual_seed(tokens);
  return at::randn({2, tokens, kExperts});
}

TEST(Experts, AreMixedAsOneTokenAtATime) {
  Matrices experts;
  for (const std::int64_t tokens : {1, 7, 50}) {
    const at::Tensor x = at::randn({2, tokens, kSize});
    const Routing routing = route_by_softmax(logits_of(tokens), 3, true, at::kFloat);
    const at::Tensor expected = reference::mix_experts(
        x, routing, kExperts,
        [&](std::int64_t e, const at::Tensor& t) { return experts.run(e, t); });
    EXPECT_LT((experts.mix(x, routing) - expected).abs().max().item<float>(), 1e-5) << tokens;
  }
}

TEST(Experts, ThatNoTokenChoosesAreNotTouched) {
  Matrices experts;
  const Routing routing{at::tensor({4, 1, 4, 1}, at::kLong).view({1, 2, 2}),
                        at::full({1, 2, 2}, 0.5)};
  experts.mix(at::randn({1, 2, kSize}), routing);
  EXPECT_EQ(experts.used, (std::set<std::int64_t>{1, 4}));
  EXPECT_EQ(experts.runs, 2) << "each once, on all of its tokens";
}

TEST(Experts, SoftmaxRoutingTakesTheBestOfAll) {
  const at::Tensor logits = logits_of(20), scores = at::softmax(logits, -1);
  const Routing plain = route_by_softmax(logits, 2, false, at::kFloat);
  EXPECT_TRUE(at::equal(plain.weights, std::get<0>(scores.topk(2, -1))));
  EXPECT_TRUE(at::allclose(plain.weights, scores.gather(-1, plain.experts)));
  const Routing normal = route_by_softmax(logits, 2, true, at::kFloat);
  EXPECT_TRUE(at::allclose(normal.weights.sum(-1), at::ones({2, 20})));
  EXPECT_EQ(route_by_softmax(logits, 2, true, at::kBFloat16).weights.scalar_type(), at::kBFloat16);
}

TEST(Experts, ChosenSoftmaxRoutingKnowsNothingOfTheOthers) {
  const at::Tensor logits = logits_of(20);
  const Routing routing = route_by_chosen_softmax(logits, 2);
  const at::Tensor best = std::get<0>(logits.topk(2, -1));
  EXPECT_TRUE(at::allclose(routing.weights, at::softmax(best, -1)));
}

TEST(Experts, SigmoidRoutingChoosesWithTheBiasAndWeighsWithoutIt) {
  const at::Tensor logits = logits_of(20), scores = at::sigmoid(logits);
  const at::Tensor bias = at::tensor({0.0F, 5.0F, 0.0F, 0.0F, 0.0F, 0.0F});
  const Routing routing =
      route_by_sigmoid(logits, bias, {.chosen = 2, .normalised = false, .scale = 3});
  EXPECT_TRUE(routing.experts.select(-1, 0).eq(1).all().item<bool>());
  EXPECT_TRUE(at::allclose(routing.weights, 3 * scores.gather(-1, routing.experts)));
  const Routing normal = route_by_sigmoid(logits, {}, {.chosen = 2, .scale = 3});
  EXPECT_TRUE(at::allclose(normal.weights.sum(-1), at::full({2, 20}, 3.0)));
  EXPECT_TRUE(at::equal(normal.experts, std::get<1>(scores.topk(2, -1))));
}

TEST(Experts, OnlyTheBestGroupsTakePart) {
  // Groups {0, 1}, {2, 3}, {4, 5}: the best expert is in a group whose second expert is poor.
  const at::Tensor logits = at::tensor({4.0F, -9.0F, 3.0F, 2.9F, 1.0F, 1.1F}).view({1, 1, 6});
  const Routing routing =
      route_by_sigmoid(logits, {}, {.chosen = 2, .groups = 3, .chosen_groups = 1});
  EXPECT_TRUE(at::equal(routing.experts, at::tensor({2, 3}, at::kLong).view({1, 1, 2})));
  const Routing two = route_by_sigmoid(logits, {}, {.chosen = 3, .groups = 3, .chosen_groups = 2});
  EXPECT_FALSE(two.experts.eq(0).any().item<bool>());
  // A masked score must not win over a negative one.
  const at::Tensor bias = at::full({6}, -50.0F);
  EXPECT_TRUE(at::equal(
      route_by_sigmoid(logits, bias, {.chosen = 2, .groups = 3, .chosen_groups = 1}).experts,
      routing.experts));
}

}  // namespace
}  // namespace niah::models
