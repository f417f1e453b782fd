// An adapter without what it does to W_Q and W_K, and the merged checkpoint.
#include "models/surgery/restore_adapter.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/surgery/drift.h"
#include "models/surgery/restore_checkpoint.h"
#include "tests/models/tiny_adapter.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

/// Softmax layers are 1 and 3, and their q_proj holds a gate's rows beside the query's.
class RestoreAdapter : public testing::Test, protected TinyAdapter {
 protected:
  RestoreAdapter() : TinyAdapter(tiny_qwen("qwen3_5_text")) {
    for (const int layer : {1, 3}) {
      add_factors(module(layer, "self_attn.q_proj"), 2 * 4 * 64, 64);
      add_factors(module(layer, "self_attn.k_proj"), 2 * 64, 64);
      add_factors(module(layer, "self_attn.v_proj"), 2 * 64, 64);
    }
    add_factors(module(0, "mlp.up_proj"), 96, 64);
    write();
    write_file(adapter_ / "README.md", "an adapter");
  }
  static std::string module(int layer, const char* name) {
    return fmt::format("base_model.model.model.layers.{}.{}", layer, name);
  }
  static WeightMap read(const CheckpointPath& path) {
    return load_weights(std::make_shared<Checkpoint>(path), at::kFloat);
  }
  /// The tensors of a written adapter, as they are stored.
  static std::set<std::string> names_in(const fs::path& adapter) {
    std::set<std::string> names;
    const SafetensorsFile file(adapter / "adapter_model.safetensors");
    for (const TensorInfo& tensor : file.tensors()) names.insert(tensor.name);
    return names;
  }
  std::string refusal(const CheckpointPath& pre, const RestoreCheckpointOptions& options = {}) {
    write();
    try {
      restore_adapter(pre, path(), out_, options);
    } catch (const UsageError& error) {
      EXPECT_FALSE(fs::exists(out_));
      return error.what();
    }
    return "restored";
  }

  fs::path out_ = temporary_.path() / "out";
};

TEST_F(RestoreAdapter, QueriesAndKeysGoBackAndGatesStay) {
  const RestoreSummary summary = restore_adapter(folder_, path(), out_, {});
  EXPECT_EQ(summary.layers, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(summary.tensors.size(), 4U);
  const WeightMap tuned = read(path()), restored = read({folder_, out_});
  for (const auto& [name, tensor] : restored) {
    if (name.find("self_attn.k_proj") != std::string::npos) {
      EXPECT_TRUE(at::equal(tensor, base_.at(name))) << name;
    } else if (name.find("self_attn.q_proj") != std::string::npos) {
      // Of every head 64 rows of the query, then 64 of the gate.
      const auto halves = [](const at::Tensor& rows) { return rows.view({4, 2, 64, 64}); };
      EXPECT_TRUE(at::equal(halves(tensor).select(1, 0), halves(base_.at(name)).select(1, 0)));
      EXPECT_TRUE(at::equal(halves(tensor).select(1, 1), halves(tuned.at(name)).select(1, 1)));
    } else {
      EXPECT_TRUE(at::equal(tensor, tuned.at(name))) << name;
    }
  }
}

TEST_F(RestoreAdapter, EverythingElseIsTheSameToTheByte) {
  restore_adapter(folder_, path(), out_, {});
  std::set<std::string> expected;
  for (const auto& [name, tensor] : tensors_)
    if (name.find("k_proj") == std::string::npos) expected.insert(name);
  EXPECT_EQ(names_in(out_), expected);
  const SafetensorsFile before(adapter_ / "adapter_model.safetensors"),
      after(out_ / "adapter_model.safetensors");
  EXPECT_EQ(after.metadata(), before.metadata());
  for (const TensorInfo& tensor : after.tensors()) {
    if (tensor.name.ends_with("q_proj.lora_B.weight")) continue;
    const auto old = before.bytes(*before.find(tensor.name)), now = after.bytes(tensor);
    EXPECT_TRUE(std::equal(old.begin(), old.end(), now.begin(), now.end())) << tensor.name;
  }
  for (const char* file : {"adapter_config.json", "README.md"})
    EXPECT_EQ(read_file(out_ / file, "testing"), read_file(adapter_ / file, "testing"));
  EXPECT_THAT(read_file(out_ / "restore.json", "testing"), HasSubstr("\"post_adapter\""));
}

TEST_F(RestoreAdapter, MergedItIsTheSameModel) {
  restore_adapter(folder_, path(), out_, {});
  const fs::path merged = temporary_.path() / "merged";
  restore_checkpoint(folder_, path(), merged, {});
  const WeightMap expected = read({folder_, out_});
  const WeightMap found = read(merged);
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, tensor] : found)
    EXPECT_TRUE(at::equal(tensor, expected.at(name))) << name;
}

TEST_F(RestoreAdapter, MergedInBf16ItIsTheSameModel) {
  for (auto& [name, tensor] : base_) tensor = tensor.to(at::kBFloat16);
  write_base();
  RestoreCheckpointOptions as_tuned;
  as_tuned.restore.alpha = 0;
  restore_checkpoint(folder_, path(), out_, as_tuned);
  const WeightMap expected = read(path()), found = read(out_);
  for (const auto& [name, tensor] : found)
    EXPECT_TRUE(at::equal(tensor, expected.at(name))) << name;
}

TEST_F(RestoreAdapter, OnlyTheLayersAndPartsThatAreAsked) {
  RestoreCheckpointOptions options;
  options.restore.layers = std::vector<std::int64_t>{3};
  options.restore.method = RestoreMethod::kV;
  restore_adapter(folder_, path(), out_, options);
  const auto names = names_in(out_);
  EXPECT_TRUE(names.contains(module(1, "self_attn.v_proj.lora_A.weight")));
  EXPECT_FALSE(names.contains(module(3, "self_attn.v_proj.lora_A.weight")));
  EXPECT_EQ(names.size(), tensors_.size() - 2);
}

TEST_F(RestoreAdapter, WhatAnAdapterCannotHoldIsRefused) {
  RestoreCheckpointOptions options;
  options.restore.method = RestoreMethod::kQkPro;
  EXPECT_THAT(refusal(folder_, options), HasSubstr("--merge"));
  options = {};
  options.restore.alpha = 0.5;
  EXPECT_THAT(refusal(folder_, options), HasSubstr("alpha 0.5"));
  // Before the fine-tune the model was another one than the adapter's base.
  const fs::path other = temporary_.path() / "other";
  fs::copy(folder_, other);
  WeightMap moved = base_;
  moved["model.layers.1.self_attn.k_proj.weight"] =
      base_.at("model.layers.1.self_attn.k_proj.weight") + 1;
  save_weights(other / "model.safetensors", moved, {});
  EXPECT_THAT(refusal(other), HasSubstr("is not what the adapter's base"));
}

TEST_F(RestoreAdapter, NothingToRestoreAndNothingLeftAreSaid) {
  tensors_.clear();
  add_factors(module(0, "mlp.up_proj"), 96, 64);
  EXPECT_THAT(refusal(folder_), HasSubstr("nothing to restore"));
  tensors_.clear();
  add_factors(module(1, "self_attn.k_proj"), 2 * 64, 64);
  EXPECT_THAT(refusal(folder_), HasSubstr("it is its base"));
}

TEST_F(RestoreAdapter, ReplacedTensorsGoBack) {
  add(module(1, "self_attn.k_norm.weight"), at::full({64}, 0.5));
  write();
  RestoreCheckpointOptions options;
  options.norms = true;
  restore_adapter(folder_, path(), out_, options);
  EXPECT_FALSE(names_in(out_).contains(module(1, "self_attn.k_norm.weight")));
}

TEST_F(RestoreAdapter, DriftIsOfTheEffectiveWeights) {
  const WeightDrift drift = weight_drift(folder_, path());
  int moved = 0;
  for (const TensorDrift& tensor : drift.tensors) {
    const bool is_adapted = Checkpoint(path()).is_adapted(tensor.name);
    EXPECT_EQ(tensor.change > 0, is_adapted) << tensor.name;
    moved += is_adapted ? 1 : 0;
  }
  EXPECT_EQ(moved, 2 * (2 + 1 + 1) + 1);  // a layer's query and gate, key, value; one MLP
  for (const RoutingDrift& head : drift.routing) EXPECT_GT(head.relative_change, 0);
}

}  // namespace
}  // namespace niah::models
