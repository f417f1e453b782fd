#include "models/surgery/restore.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "harness/base/error.h"
#include "models/registry.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

struct Pair {
  WeightMap pre, post;
  std::vector<SoftmaxLayer> layers;
};

Pair make_pair() {
  const auto checkpoint = std::make_shared<Checkpoint>(test_data() / "models/hypenet-flags");
  Pair pair;
  pair.pre = load_weights(checkpoint, at::kFloat);
  pair.layers = build_model(checkpoint->config(), "pre", pair.pre)->softmax_layers();
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
  const WeightMap qk = restore(pair.pre, pair.post, pair.layers, {RestoreMethod::kQk, 0});
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
    const WeightMap restored = restore(pair.pre, pair.post, pair.layers, {method, 0});
    EXPECT_EQ(changed(restored, pair.post),
              (std::set<std::string>{kLayer + part + ".weight", kLayer + part + ".bias"}));
  }
}

TEST(Restore, WithPreEqualPostIsTheIdentity) {
  const Pair pair = make_pair();
  for (const auto method : {RestoreMethod::kQk, RestoreMethod::kQkPro, RestoreMethod::kQ,
                            RestoreMethod::kK, RestoreMethod::kV})
    EXPECT_TRUE(changed(restore(pair.pre, pair.pre, pair.layers, {method, 0.1}), pair.pre).empty());
}

TEST(Restore, QkProIsTheLinearisedFormula) {
  const Pair pair = make_pair();
  const SoftmaxLayer& layer = pair.layers[0];
  const double lambda = 0.3;
  const at::Tensor result =
      procrustes_query(pair.pre.at(layer.query[0]), pair.post.at(layer.query[0]),
                       pair.pre.at(layer.key[0]), layer, lambda);
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
    return restore(pair.pre, pair.post, pair.layers, {RestoreMethod::kQkPro, lambda}).at(query);
  };
  const auto distance = [](const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
  };
  EXPECT_LT(distance(with(1e-12), pair.pre.at(query)), 1e-5);
  EXPECT_LT(distance(with(1e12), pair.post.at(query)), 1e-5);
}

TEST(Restore, RefusesOtherShapes) {
  Pair pair = make_pair();
  pair.pre[kLayer + "q_proj.weight"] = torch::zeros({3, 3});
  EXPECT_THROW(restore(pair.pre, pair.post, pair.layers, {RestoreMethod::kQk, 0}), DataError);
  pair.pre.erase(kLayer + "q_proj.weight");
  EXPECT_THROW(restore(pair.pre, pair.post, pair.layers, {RestoreMethod::kQk, 0}), DataError);
}

TEST(Restore, NamesOfMethods) {
  for (const char* name : {"qk", "qk-pro", "q", "k", "v"})
    EXPECT_EQ(restore_method_name(parse_restore_method(name)), name);
  EXPECT_THROW(parse_restore_method("kq"), UsageError);
}

}  // namespace
}  // namespace niah::models
