#include "models/surgery/drift.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <functional>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "tests/models/softmax_layers.h"
#include "tests/models/support.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

class Drift : public testing::Test {
 protected:
  /// The drift between the golden checkpoint and a copy with weights changed by `change`.
  WeightDrift after(const std::function<void(WeightMap&)>& change) {
    fs::create_directories(post_);
    fs::copy(pre_ / "config.json", post_ / "config.json", fs::copy_options::overwrite_existing);
    WeightMap weights = load_weights(std::make_shared<Checkpoint>(pre_), at::kFloat);
    change(weights);
    save_weights(post_ / "model.safetensors", weights, {});
    return weight_drift(pre_, post_);
  }
  SoftmaxLayer layer() const {
    return softmax_layers(load_model(pre_, at::kFloat)->info()).front();
  }

  TemporaryFolder temporary_;
  fs::path pre_ = test_data() / "models/hypenet-tiny-sharded", post_ = temporary_.path() / "post";
};

TEST_F(Drift, OfTheSameCheckpointIsNone) {
  const WeightDrift drift = after([](WeightMap&) {});
  ASSERT_FALSE(drift.tensors.empty());
  for (const TensorDrift& tensor : drift.tensors) {
    EXPECT_EQ(tensor.change, 0) << tensor.name;
    EXPECT_GT(tensor.norm, 0) << tensor.name;
  }
  ASSERT_FALSE(drift.routing.empty());
  for (const RoutingDrift& head : drift.routing) {
    EXPECT_LT(head.relative_change, 1e-6);
    EXPECT_LT(head.query_angle_max, 1e-4);
    EXPECT_LT(head.key_angle_max, 1e-4);
  }
}

TEST_F(Drift, NamesWhatMovedAndByHowMuch) {
  const std::string name = layer().query[0];
  const WeightDrift drift = after([&](WeightMap& weights) { weights[name] = 1.5 * weights[name]; });
  for (const TensorDrift& tensor : drift.tensors)
    EXPECT_NEAR(tensor.change / tensor.norm, tensor.name == name ? 0.5 : 0, 1e-6) << tensor.name;
  const auto moved = std::find_if(drift.tensors.begin(), drift.tensors.end(),
                                  [&](const TensorDrift& tensor) { return tensor.name == name; });
  EXPECT_EQ(moved->part, "Q");
  EXPECT_EQ(moved->mixer, "softmax");
  EXPECT_EQ(moved->layer, layer().index);
  for (const RoutingDrift& head : drift.routing) {
    const bool here = head.layer == layer().index;
    EXPECT_NEAR(head.relative_change, here ? 0.5 : 0, 1e-5);
    EXPECT_LT(head.query_angle_max, 1e-2) << "longer, but in the same directions";
  }
}

TEST_F(Drift, RoutingIsThatOfTheWholeProduct) {
  const SoftmaxLayer softmax = layer();
  torch::manual_seed(2);
  WeightMap old, now;
  const WeightDrift drift = after([&](WeightMap& weights) {
    old = weights;
    for (const std::string& name : {softmax.query[0], softmax.key[0]})
      weights[name] = weights[name] + 0.3 * weights[name].std() * at::randn(weights[name].sizes());
    now = weights;
  });
  const auto routing = [&](const WeightMap& weights, std::int64_t head) {
    const auto part = [&](const std::string& name, std::int64_t h) {
      return weights.at(name).to(at::kDouble).narrow(0, h * softmax.head_dim, softmax.head_dim);
    };
    const std::int64_t share = softmax.heads / softmax.kv_heads;
    return at::matmul(part(softmax.query[0], head).t(), part(softmax.key[0], head / share));
  };
  std::int64_t heads = 0;
  for (const RoutingDrift& head : drift.routing) {
    if (head.layer != softmax.index) continue;
    ++heads;
    const at::Tensor before = routing(old, head.head), after = routing(now, head.head);
    EXPECT_NEAR(head.relative_change, ((after - before).norm() / before.norm()).item<double>(),
                1e-6);
    const auto [u0, s0, v0] = at::linalg_svd(before);
    const auto [u1, s1, v1] = at::linalg_svd(after);
    const auto energy = s0.square();
    EXPECT_GE(energy.narrow(0, 0, head.rank).sum().item<double>(),
              0.9 * energy.sum().item<double>());
    EXPECT_LT(energy.narrow(0, 0, head.rank - 1).sum().item<double>(),
              0.9 * energy.sum().item<double>());
    const at::Tensor cosines =
        at::linalg_svdvals(at::matmul(u0.narrow(1, 0, head.rank).t(), u1.narrow(1, 0, head.rank)));
    const at::Tensor angles = at::acos(cosines.clamp(0, 1)) * (180 / M_PI);
    EXPECT_NEAR(head.query_angle, angles.mean().item<double>(), 1e-3);
    EXPECT_NEAR(head.query_angle_max, angles.max().item<double>(), 1e-3);
    EXPECT_GT(head.key_angle, 1);
  }
  EXPECT_EQ(heads, softmax.heads);
}

TEST_F(Drift, WhatIsNoNumberIsNamed) {
  for (const std::string& name : {layer().query[0], std::string("model.embed_tokens.weight")})
    EXPECT_THAT(refusal_of([&] {
                  after([&](WeightMap& weights) {
                    weights[name] = weights.at(name).clone();
                    weights[name][0][0] = std::nan("");
                  });
                }),
                testing::AllOf(testing::HasSubstr("tensor '" + name + "' of " + post_.string()),
                               testing::HasSubstr("not finite")));
}

TEST_F(Drift, RefusesCheckpointsOfDifferentModels) {
  after([](WeightMap&) {});
  auto config = parse_json_file(post_ / "config.json", "test");
  config["rms_norm_eps"] = 1e-3;
  write_file(post_ / "config.json", config.dump());
  EXPECT_THROW(weight_drift(pre_, post_), DataError);
}

}  // namespace
}  // namespace niah::models
