// Restoring an adapter: without its changes to W_Q and W_K, and merged into a checkpoint.
#include "models/surgery/restore_adapter.h"
#include "models/load_model.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/registry.h"
#include "models/surgery/drift.h"
#include "models/surgery/restore_checkpoint.h"
#include "tests/models/tiny_adapter.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

/// Layers 1 and 3 are softmax attention; their q_proj holds query and gate rows.
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
  /// The stored tensor names of a written adapter.
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

  json manifest() const { return json::parse(read_file(out_ / "restore.json", "testing")); }

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
      // Every head has 64 rows of the query, then 64 of the gate.
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

TEST_F(RestoreAdapter, WhatIsLeftOutIsNoChangeInPeftEither) {
  // PEFT initialises factors by init_lora_weights and keeps them for modules that the file lacks.
  const auto restored_config = [&](const json& initialisation) {
    config_["init_lora_weights"] = initialisation;
    write();
    fs::remove_all(out_);
    const RestoreSummary summary = restore_adapter(folder_, path(), out_, {});
    const std::string before = read_file(adapter_ / "adapter_config.json", "testing");
    const std::string after = read_file(out_ / "adapter_config.json", "testing");
    EXPECT_EQ(summary.has_new_initialisation, before != after) << initialisation;
    EXPECT_EQ(manifest().contains("init_lora_weights"), before != after) << initialisation;
    json expected = json::parse(before), found = json::parse(after);
    const json value = found["init_lora_weights"];
    expected.erase("init_lora_weights");
    found.erase("init_lora_weights");
    EXPECT_EQ(found, expected);
    return value;
  };
  for (const json& drawn : {json(false), json(nullptr), json("orthogonal"), json("EVA")})
    EXPECT_EQ(restored_config(drawn), true) << drawn;
  for (const json& zeros : {json(true), json("gaussian"), json("Gaussian"), json("eva")})
    EXPECT_EQ(restored_config(zeros), zeros);
}

TEST_F(RestoreAdapter, TheManifestSaysEveryOptionThatDecides) {
  restore_adapter(folder_, path(), out_, {});
  EXPECT_EQ(manifest()["merge"], false);
  EXPECT_EQ(manifest()["windows"], false);
  fs::remove_all(out_);
  RestoreCheckpointOptions options;
  options.restore.windows = true;
  restore_checkpoint(folder_, path(), out_, options);
  for (const char* option :
       {"method", "merge", "linear", "windows", "alpha", "biases", "norms", "gates", "layers"})
    EXPECT_TRUE(manifest().contains(option)) << option;
  EXPECT_EQ(manifest()["merge"], true);
  EXPECT_EQ(manifest()["windows"], true);
}

TEST_F(RestoreAdapter, MergedWithAlphaZeroNothingIsRestored) {
  RestoreCheckpointOptions as_tuned;
  as_tuned.restore.alpha = 0;
  const RestoreSummary summary = restore_checkpoint(folder_, path(), out_, as_tuned);
  EXPECT_TRUE(summary.tensors.empty() && summary.layers.empty());
  EXPECT_TRUE(summary.is_merged);
  EXPECT_EQ(manifest()["alpha"], 0);
  EXPECT_EQ(manifest()["tensors"], json::array());
  EXPECT_EQ(manifest()["layers"], json::array());
  const WeightMap expected = read(path());
  for (const auto& [name, tensor] : read(out_))
    EXPECT_TRUE(at::equal(tensor, expected.at(name))) << name;
}

TEST_F(RestoreAdapter, LinksBesideItThatLeadNowhereAreNamed) {
  for (const char* target : {"loop", "gone"}) {
    fs::create_symlink(target, adapter_ / "loop");
    EXPECT_THAT(refusal_of([&] { restore_adapter(folder_, path(), out_, {}); }),
                AllOf(HasSubstr("adapter/loop"), HasSubstr("a link that leads to no file")));
    EXPECT_FALSE(fs::exists(out_));
    fs::remove(adapter_ / "loop");
  }
}

TEST_F(RestoreAdapter, NeverIntoItself) {
  EXPECT_THAT(
      refusal_of<UsageError>([&] { restore_adapter(folder_, path(), adapter_ / "qk", {}); }),
      HasSubstr("lies in the adapter " + adapter_.string()));
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

TEST_F(RestoreAdapter, PartsOfAnyKindGoBack) {
  RestoreCheckpointOptions options;
  options.restore.method = RestoreMethod::kParts;
  options.restore.parts = {WeightPart::kMlp, WeightPart::kValue};
  const RestoreSummary summary = restore_adapter(folder_, path(), out_, options);
  EXPECT_EQ(summary.layers, (std::vector<std::int64_t>{0, 1, 3}));
  for (const std::string& name : names_in(out_))
    EXPECT_TRUE(name.find("q_proj") != name.npos || name.find("k_proj") != name.npos) << name;
  EXPECT_EQ(names_in(out_).size(), 2U * 2U * 2U);
}

TEST_F(RestoreAdapter, WhatAnAdapterCannotHoldIsRefused) {
  RestoreCheckpointOptions options;
  options.restore.method = RestoreMethod::kQkPro;
  EXPECT_THAT(refusal(folder_, options), HasSubstr("--merge"));
  options = {};
  options.restore.alpha = 0.5;
  EXPECT_THAT(refusal(folder_, options), HasSubstr("alpha 0.5"));
  // The checkpoint before the fine-tune is not the adapter's base.
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
  EXPECT_EQ(moved, 2 * (2 + 1 + 1) + 1);  // per layer: query and gate, key, value; and one MLP
  for (const RoutingDrift& head : drift.routing) EXPECT_GT(head.relative_change, 0);
}

/// A base whose output head is tied to the embedding, but stored as well.
class AdapterOfAStoredTiedHead : public testing::Test, protected TinyAdapter {
 protected:
  AdapterOfAStoredTiedHead() : TinyAdapter(tiny_llama()) {
    config_base_["tie_word_embeddings"] = true;
    base_["lm_head.weight"] = base_.at("model.embed_tokens.weight").clone();
    write_base();
  }
  std::string refusal() const {
    write();
    RestoreCheckpointOptions as_tuned;
    as_tuned.restore.alpha = 0;
    const std::string text =
        refusal_of<Error>([&] { restore_checkpoint(folder_, path(), out_, as_tuned); });
    EXPECT_EQ(fs::exists(out_), text == "accepted");
    return text;
  }

  fs::path out_ = temporary_.path() / "out";
};

TEST_F(AdapterOfAStoredTiedHead, ChangesOfTheEmbeddingAloneAreRefused) {
  const std::string embedding = "base_model.model.model.embed_tokens";
  add(embedding + ".lora_embedding_A", at::randn({4, 97}));
  add(embedding + ".lora_embedding_B", at::randn({64, 4}));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("model.embed_tokens.weight"),
                               HasSubstr("it is unclear whether the head changes with it")));
  tensors_.clear();
  add(embedding + ".weight", at::randn({97, 64}));
  EXPECT_THAT(refusal(), HasSubstr("lm_head.weight that the base stores beside it"));
}

TEST_F(AdapterOfAStoredTiedHead, ARestoredEmbeddingIsTheHead) {
  const fs::path before = temporary_.path() / "before";
  fs::copy(folder_, before);
  WeightMap old = base_;
  old["model.embed_tokens.weight"] = base_.at("model.embed_tokens.weight") + 1;
  old["lm_head.weight"] = old.at("model.embed_tokens.weight");
  save_weights(before / "model.safetensors", old, {{"format", "pt"}});
  RestoreCheckpointOptions options;
  options.restore.method = RestoreMethod::kParts;
  options.restore.parts = {WeightPart::kEmbedding};
  const RestoreSummary summary = restore_checkpoint(before, folder_, out_, options);
  EXPECT_TRUE(summary.layers.empty());
  const WeightMap restored = load_weights(std::make_shared<Checkpoint>(out_), at::kFloat);
  for (const char* name : {"model.embed_tokens.weight", "lm_head.weight"})
    EXPECT_TRUE(at::equal(restored.at(name), old.at(name))) << name;
  load_model(out_, at::kFloat);
}

TEST_F(AdapterOfAStoredTiedHead, AHeadThatIsNoCopyOfTheEmbeddingIsRefusedBeforeAnythingIsWritten) {
  const fs::path before = temporary_.path() / "before";
  at::Tensor& embedding = base_.at("model.embed_tokens.weight");
  embedding = embedding.to(at::kHalf).to(at::kFloat);
  write_base();
  fs::copy(folder_, before);
  RestoreCheckpointOptions options;
  options.restore.method = RestoreMethod::kParts;
  options.restore.parts = {WeightPart::kEmbedding};
  const auto refusal_with = [&](const at::Tensor& head) {
    base_["lm_head.weight"] = head;
    write_base();
    const std::string text =
        refusal_of<Error>([&] { restore_checkpoint(before, folder_, out_, options); });
    EXPECT_FALSE(fs::exists(out_)) << text;
    return text;
  };
  EXPECT_THAT(refusal_with(at::randn({2, 64})),
              HasSubstr("lm_head.weight is [2, 64], and the embedding"));
  EXPECT_THAT(refusal_with(at::randn({64, 97})), HasSubstr("[97, 64]"));
  EXPECT_THAT(refusal_with(at::ones({97, 64}, at::kByte)), HasSubstr("has dtype U8"));
  EXPECT_THAT(refusal_with(embedding + 1), HasSubstr("differs from model.embed_tokens.weight"));

  WeightMap finer = base_;
  finer["model.embed_tokens.weight"] = embedding + 1e-5;
  finer.erase("lm_head.weight");
  save_weights(before / "model.safetensors", finer, {{"format", "pt"}});
  EXPECT_THAT(refusal_with(embedding.to(at::kHalf)),
              HasSubstr("stored beside it as F16, which cannot hold the numbers"));
}

TEST_F(AdapterOfAStoredTiedHead, OthersAreMergedIntoWhatOpens) {
  add_factors("base_model.model.model.layers.0.mlp.up_proj", 96, 64);
  EXPECT_EQ(refusal(), "accepted");
  load_model(out_, at::kFloat);
}

}  // namespace
}  // namespace niah::models
