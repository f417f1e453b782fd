// Restoring where only some rows of a tensor are a query, and where the checkpoint before the
// fine-tune has other names than the one after it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdlib>
#include <map>
#include <set>

#include "harness/base/files.h"
#include "models/surgery/drift.h"
#include "models/surgery/restore_checkpoint.h"
#include "tests/models/support.h"
#include "tests/models/tiny_hybrids.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

WeightMap read(const fs::path& folder) {
  return load_weights(std::make_shared<Checkpoint>(folder), at::kFloat);
}

/// Before: a vision-language checkpoint; after: the text model alone.
class Layouts : public testing::Test {
 protected:
  Layouts() {
    json text = tiny_qwen("qwen3_5_text");
    text["attention_bias"] = true;
    const json wrapper = {{"model_type", "qwen3_5"}, {"text_config", text}};
    WeightMap before = tiny_weights(wrapper, 1);
    before["model.visual.pos_embed.weight"] = at::ones({3, 3});
    write(pre_, wrapper, before);
    write(post_, text, tiny_weights(text, 2));
  }
  static void write(const fs::path& folder, const json& config, const WeightMap& weights) {
    fs::create_directory(folder);
    write_file(folder / "config.json", config.dump());
    save_weights(folder / "model.safetensors", weights, {});
  }
  /// The names whose tensors changed, and how many rows of each are what they were before.
  std::map<std::string, std::int64_t> restored_rows() const {
    const WeightMap before = read(pre_), after = read(post_), out = read(out_);
    EXPECT_EQ(out.size(), after.size());
    std::map<std::string, std::int64_t> rows;
    for (const auto& [name, tensor] : out) {
      if (at::equal(tensor, after.at(name))) continue;
      const at::Tensor& old = before.at("model.language_model" + name.substr(5));
      for (std::int64_t r = 0; r < tensor.size(0); ++r) {
        if (at::equal(tensor[r], old[r])) ++rows[name];
        EXPECT_TRUE(at::equal(tensor[r], old[r]) || at::equal(tensor[r], after.at(name)[r]));
      }
    }
    return rows;
  }

  TemporaryFolder temporary_;
  fs::path pre_ = temporary_.path() / "pre", post_ = temporary_.path() / "post",
           out_ = temporary_.path() / "out";
};

TEST_F(Layouts, TensorsAreFoundByWhatTheyAreFor) {
  restore_checkpoint(pre_, post_, out_, {});
  std::map<std::string, std::int64_t> expected;
  for (const char* layer : {"1", "3"})
    for (const char* kind : {"weight", "bias"}) {
      const std::string prefix = fmt::format("model.layers.{}.self_attn.", layer);
      expected[prefix + "q_proj." + kind] = 4 * 64;  // of twice as many: the others are gates
      expected[prefix + "k_proj." + kind] = 2 * 64;
    }
  EXPECT_EQ(restored_rows(), expected);
}

TEST_F(Layouts, GatesAndNormsAreAnOption) {
  RestoreCheckpointOptions options;
  options.gates = options.norms = true;
  restore_checkpoint(pre_, post_, out_, options);
  const auto rows = restored_rows();
  EXPECT_EQ(rows.at("model.layers.1.self_attn.q_proj.weight"), 2 * 4 * 64);
  EXPECT_EQ(rows.at("model.layers.1.self_attn.k_norm.weight"), 64);
  EXPECT_EQ(rows.size(), 12U);
}

TEST_F(Layouts, AreCompared) {
  const WeightDrift drift = weight_drift(pre_, post_);
  EXPECT_EQ(drift.routing.size(), 2U * 4);
  std::set<std::string> parts;
  for (const TensorDrift& tensor : drift.tensors) parts.insert(tensor.part);
  EXPECT_TRUE(parts.contains("MLP") && parts.contains("embedding") && parts.contains("gate"));
}

TEST_F(Layouts, WhatIsNoneOfTheModelsIsNotLoaded) {
  const auto model = load_model(pre_, at::kBFloat16);
  for (const std::string& name : model->named_parameters().keys())
    EXPECT_FALSE(name.starts_with("model.visual")) << name;
  const auto checkpoint = std::make_shared<Checkpoint>(pre_);
  EXPECT_FALSE(
      load_weights(checkpoint, at::kFloat, *model).contains("model.visual.pos_embed.weight"));
}

TEST(GoldenSurgery, IsReproducedExactly) {
  const char* all = std::getenv("NIAH_GOLDEN_DIR");
  const fs::path root = fs::path(all == nullptr ? "" : all) / "families/surgery";
  if (all == nullptr || !fs::exists(root)) GTEST_SKIP() << "NIAH_GOLDEN_DIR is not set";
  const TemporaryFolder temporary;
  for (const char* name : {"qwen35", "qwen35-layouts", "qwen3next", "olmohybrid", "lfm2"})
    for (const std::string kind : {"", ".norms", ".gates"}) {
      const fs::path golden = root / name / ("golden" + kind + ".safetensors");
      if (!fs::exists(golden)) continue;
      RestoreCheckpointOptions options;
      options.norms = kind == ".norms";
      options.gates = kind == ".gates";
      const fs::path out = temporary.path() / (name + kind);
      restore_checkpoint(root / name / "pre", root / name / "post", out, options);
      const SafetensorsFile expected(golden);
      const Checkpoint found(out);
      for (const TensorInfo& tensor : expected.tensors()) {
        ASSERT_NE(found.find(tensor.name), nullptr) << name << kind << " " << tensor.name;
        const auto bytes = found.bytes(*found.find(tensor.name));
        const auto wanted = expected.bytes(tensor);
        EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()))
            << name << kind << " " << tensor.name;
      }
    }
}

}  // namespace
}  // namespace niah::models
