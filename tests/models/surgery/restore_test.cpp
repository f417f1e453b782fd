#include "models/surgery/restore.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/base/error.h"
#include "models/registry.h"
#include "models/weights.h"
#include "tests/models/softmax_layers.h"
#include "tests/models/support.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

struct Pair {
  WeightMap pre, post;
  ModelInfo info;
  std::vector<SoftmaxLayer> layers;
};

Pair make_pair() {
  const auto checkpoint = std::make_shared<Checkpoint>(test_data() / "models/hypenet-flags");
  Pair pair;
  pair.pre = load_weights(checkpoint, at::kFloat);
  pair.info = build_model(checkpoint->config(), "pre", pair.pre)->info();
  pair.layers = softmax_layers(pair.info);
  torch::manual_seed(7);
  for (const auto& [name, tensor] : pair.pre)
    pair.post[name] = tensor + 0.1 * torch::randn_like(tensor) * tensor.abs().mean();
  return pair;
}

std::set<std::string> changed(const WeightMap& a, const WeightMap& b) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : a)
    if (!at::equal(tensor, b.at(name))) names.insert(name);
  return names;
}

const std::string kLayer = "model.layers.1.self_attn.";  // the only softmax layer of LAL

TEST(Restore, FindsSoftmaxLayersWithTheirBiases) {
  const Pair pair = make_pair();
  ASSERT_EQ(pair.layers.size(), 1U);
  EXPECT_EQ(pair.layers[0].index, 1);
  EXPECT_EQ(pair.layers[0].query,
            (std::vector<std::string>{kLayer + "q_proj.weight", kLayer + "q_proj.bias"}));
}

TEST(Restore, QkTakesExactlyQueryAndKeyOfSoftmaxLayers) {
  const Pair pair = make_pair();
  const WeightMap qk = restore(pair.pre, pair.post, pair.info, {RestoreMethod::kQk, 0});
  EXPECT_EQ(changed(qk, pair.post),
            (std::set<std::string>{kLayer + "q_proj.weight", kLayer + "q_proj.bias",
                                   kLayer + "k_proj.weight", kLayer + "k_proj.bias"}));
  for (const std::string& name : changed(qk, pair.post))
    EXPECT_TRUE(at::equal(qk.at(name), pair.pre.at(name)));
}

TEST(Restore, AblationsTakeOneProjection) {
  const Pair pair = make_pair();
  for (const auto& [method, part] :
       {std::pair{RestoreMethod::kQ, "q_proj"}, std::pair{RestoreMethod::kK, "k_proj"},
        std::pair{RestoreMethod::kV, "v_proj"}}) {
    const WeightMap restored = restore(pair.pre, pair.post, pair.info, {method, 0});
    EXPECT_EQ(changed(restored, pair.post),
              (std::set<std::string>{kLayer + part + ".weight", kLayer + part + ".bias"}));
  }
}

TEST(Restore, WithPreEqualPostIsTheIdentity) {
  const Pair pair = make_pair();
  for (const auto method : {RestoreMethod::kQk, RestoreMethod::kQkPro, RestoreMethod::kQkProExact,
                            RestoreMethod::kQ, RestoreMethod::kK, RestoreMethod::kV})
    EXPECT_TRUE(changed(restore(pair.pre, pair.pre, pair.info, {method, 0.1}), pair.pre).empty());
}

TEST(Restore, QkProIsTheLinearisedFormula) {
  const Pair pair = make_pair();
  const SoftmaxLayer& layer = pair.layers[0];
  const double lambda = 0.3;
  const MixerInfo& mixer = pair.info.mixers[static_cast<std::size_t>(layer.index)];
  const at::Tensor result =
      procrustes_query(query_heads(pair.pre, mixer), query_heads(pair.post, mixer),
                       key_heads(pair.pre, mixer), lambda)
          .view_as(pair.pre.at(layer.query[0]));
  const auto head = [&](const at::Tensor& weight, std::int64_t h) {  // the paper's [d, D]
    return weight.narrow(0, h * layer.head_dim, layer.head_dim).t().to(at::kDouble);
  };
  for (std::int64_t h = 0; h < layer.heads; ++h) {
    const at::Tensor key = head(pair.pre.at(layer.key[0]), h / (layer.heads / layer.kv_heads));
    const at::Tensor pre = head(pair.pre.at(layer.query[0]), h),
                     post = head(pair.post.at(layer.query[0]), h);
    const at::Tensor r_pre = at::matmul(pre, key.t());
    const at::Tensor ridge = at::matmul(key, key.t()) + lambda * at::eye(key.size(0), at::kDouble);
    const at::Tensor expected =
        post +
        at::matmul(at::matmul(r_pre - at::matmul(post, key.t()), at::linalg_inv(ridge)), key);
    EXPECT_LT((head(result, h) - expected).abs().max().item<double>(), 1e-6) << "head " << h;
  }
}

TEST(Restore, QkProGoesFromRestoreToNothingAsLambdaGrows) {
  const Pair pair = make_pair();
  const std::string query = kLayer + "q_proj.weight";
  const auto with = [&](double lambda) {
    return restore(pair.pre, pair.post, pair.info, {RestoreMethod::kQkPro, lambda}).at(query);
  };
  const auto distance = [](const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
  };
  EXPECT_LT(distance(with(1e-12), pair.pre.at(query)), 1e-5);
  EXPECT_LT(distance(with(1e12), pair.post.at(query)), 1e-5);
}

TEST(Restore, QkProWithoutARidgeNeedsKeysOfFullRank) {
  Pair pair = make_pair();
  at::Tensor& key = pair.pre.at(pair.layers[0].key[0]);
  key = at::zeros_like(key);
  EXPECT_THAT(refusal_of<UsageError>([&] {
                restore(pair.pre, pair.post, pair.info, {RestoreMethod::kQkPro, 0});
              }),
              testing::HasSubstr("give a larger lambda"));
}

TEST(Restore, QkProExactKeepsTheRoutingAndLiesNearestToTheFineTune) {
  const Pair pair = make_pair();
  const SoftmaxLayer& layer = pair.layers[0];
  const at::Tensor q0 = pair.pre.at(layer.query[0]), q1 = pair.post.at(layer.query[0]);
  const at::Tensor k0 = pair.pre.at(layer.key[0]), k1 = pair.post.at(layer.key[0]);
  const MixerInfo& mixer = pair.info.mixers[static_cast<std::size_t>(layer.index)];
  const auto [query_result, key_result] =
      procrustes_exact(query_heads(pair.pre, mixer), query_heads(pair.post, mixer),
                       key_heads(pair.pre, mixer), key_heads(pair.post, mixer));
  const at::Tensor query = query_result.view_as(q0), key = key_result.view_as(k0);
  const auto head = [&](const at::Tensor& weight, std::int64_t h) {
    return weight.narrow(0, h * layer.head_dim, layer.head_dim).to(at::kDouble);  // [D, d]
  };
  const std::int64_t share = layer.heads / layer.kv_heads;
  const auto objective = [&](const at::Tensor& q, const at::Tensor& k) {
    double sum = 0;
    for (std::int64_t h = 0; h < layer.heads; ++h)
      sum += (head(q, h) - head(q1, h)).norm().item<double>();
    for (std::int64_t h = 0; h < layer.kv_heads; ++h)
      sum += (head(k, h) - head(k1, h)).norm().item<double>();
    return sum;
  };
  for (std::int64_t h = 0; h < layer.heads; ++h) {
    const at::Tensor routing = at::matmul(head(query, h).t(), head(key, h / share));
    const at::Tensor before = at::matmul(head(q0, h).t(), head(k0, h / share));
    EXPECT_LT((routing - before).norm().item<double>(), 1e-5 * before.norm().item<double>());
  }
  const double found = objective(query, key);
  EXPECT_LT(found, 0.999 * objective(q0, k0)) << "QK-Restore fulfils the constraint, too";
  // No nearby solution that satisfies the constraint is better.
  torch::manual_seed(5);
  for (int i = 0; i < 20; ++i) {
    const at::Tensor basis = at::eye(layer.head_dim, at::kDouble) +
                             1e-3 * at::randn({layer.head_dim, layer.head_dim}, at::kDouble);
    const auto moved = [&](const at::Tensor& weight, std::int64_t heads, const at::Tensor& by) {
      return at::matmul(by, weight.to(at::kDouble).view({heads, layer.head_dim, -1}))
          .view(weight.sizes());
    };
    EXPECT_GT(objective(moved(query, layer.heads, basis.t()),
                        moved(key, layer.kv_heads, at::linalg_inv(basis))),
              found - 1e-9);
  }
}

TEST(Restore, QkProExactUndoesNothingThatOnlyTurnedTheBasis) {
  Pair pair = make_pair();
  const SoftmaxLayer& layer = pair.layers[0];
  torch::manual_seed(9);
  const at::Tensor basis = at::eye(layer.head_dim, at::kDouble) +
                           0.1 * at::randn({layer.head_dim, layer.head_dim}, at::kDouble);
  const auto moved = [&](const std::string& name, std::int64_t heads, const at::Tensor& by) {
    const at::Tensor& weight = pair.pre.at(name);
    return at::matmul(by, weight.to(at::kDouble).view({heads, layer.head_dim, -1}))
        .view(weight.sizes())
        .to(at::kFloat);
  };
  pair.post[layer.query[0]] = moved(layer.query[0], layer.heads, basis.t());
  pair.post[layer.key[0]] = moved(layer.key[0], layer.kv_heads, at::linalg_inv(basis));
  const WeightMap exact =
      restore(pair.pre, pair.post, pair.info, {.method = RestoreMethod::kQkProExact});
  for (const std::string& name : {layer.query[0], layer.key[0]})
    EXPECT_LT((exact.at(name) - pair.post.at(name)).norm().item<double>(),
              1e-3 * pair.post.at(name).norm().item<double>())
        << name;
}

TEST(Restore, AlphaAndLayersAreChosen) {
  const Pair pair = make_pair();
  const std::string query = kLayer + "q_proj.weight";
  const WeightMap half = restore(pair.pre, pair.post, pair.info, {.alpha = 0.5});
  EXPECT_LT(
      (half.at(query) - (pair.pre.at(query) + pair.post.at(query)) / 2).abs().max().item<double>(),
      1e-6);
  EXPECT_TRUE(changed(restore(pair.pre, pair.post, pair.info, {.alpha = 0.0}), pair.post).empty());
  EXPECT_EQ(changed(restore(pair.pre, pair.post, pair.info, {.layers = {{1}}}), pair.post).size(),
            4U);
  EXPECT_THROW(restore(pair.pre, pair.post, pair.info, {.layers = {{0}}}), UsageError);
}

TEST(Restore, RefusesOtherShapes) {
  Pair pair = make_pair();
  pair.pre[kLayer + "q_proj.weight"] = torch::zeros({3, 3});
  EXPECT_THROW(restore(pair.pre, pair.post, pair.info, {RestoreMethod::kQk, 0}), DataError);
  pair.pre.erase(kLayer + "q_proj.weight");
  EXPECT_THROW(restore(pair.pre, pair.post, pair.info, {RestoreMethod::kQk, 0}), DataError);
}

}  // namespace
}  // namespace niah::models
