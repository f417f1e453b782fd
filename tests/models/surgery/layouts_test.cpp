// Restoring tensors of which only some rows are queries, and pairs in which the checkpoint before
// the fine-tune has other tensor names than the one after it.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "harness/base/files.h"
#include "models/instruments/verify.h"
#include "models/load_model.h"
#include "models/surgery/drift.h"
#include "models/surgery/restore_checkpoint.h"
#include "tests/machine.h"
#include "tests/models/support.h"
#include "tests/models/tiny_hybrids.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

WeightMap read(const fs::path& folder) {
  return load_weights(std::make_shared<Checkpoint>(folder), at::kFloat);
}

/// Before the fine-tune: a vision-language checkpoint; after it: the text model alone.
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
  /// The tensors that the restoration changed, each with the number of rows equal to those of
  /// `pre_`.
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
      expected[prefix + "q_proj." + kind] = 4 * 64;  // half of the rows; the others are gates
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

/// Pairs of checkpoints with logits of the restored checkpoint, recorded from its reference
/// implementation.
std::vector<fs::path> golden_surgeries() {
  std::vector<fs::path> all;
  if (const auto goldens = golden_folder())
    for (const auto& entry : fs::directory_iterator(*goldens / "families/surgery"))
      all.push_back(entry.path());
  return all;
}

/// Restores a pair and compares logits with those in golden`kind`.safetensors.
void expect_golden(const fs::path& pair, const std::string& kind, const fs::path& out) {
  const fs::path golden = pair / ("golden" + kind + ".safetensors");
  if (!fs::exists(golden)) return;  // the family has no gates
  RestoreCheckpointOptions options;
  options.norms = kind == ".norms";
  options.gates = kind == ".gates";
  restore_checkpoint(pair / "pre", pair / "post", out, options);
  const VerifyResult result = verify(*load_model(out, at::kFloat), read_golden(golden), 0);
  EXPECT_LT(result.prefill_max_abs_diff, 1e-4) << golden;
  EXPECT_LT(result.decode_max_abs_diff, 1e-4) << golden;
}

/// Expects that in every tensor of `out` the rows listed in rows.json are those of `pre` and all
/// others those of `post`.
void expect_listed_rows(const fs::path& pair, const fs::path& out) {
  const WeightMap before = read(pair / "pre"), after = read(pair / "post"), found = read(out);
  const json listed = parse_json_file(pair / "rows.json", "testing")["rows_from_pre"];
  ASSERT_FALSE(listed.empty());
  ASSERT_EQ(found.size(), after.size());
  for (const auto& [name, tensor] : found) {
    at::Tensor expected = after.at(name).clone();
    for (const json& rows : listed.value(name, json::array())) {
      const std::string other = "model.language_model" + name.substr(5);
      const at::Tensor& old = before.at(before.contains(name) ? name : other);
      expected.narrow(0, rows[0], rows[1]).copy_(old.narrow(0, rows[0], rows[1]));
    }
    EXPECT_TRUE(at::equal(tensor, expected)) << pair << " " << name;
  }
}

TEST(GoldenSurgery, IsReproducedExactly) {
  NIAH_NEEDS_GOLDENS();
  const TemporaryFolder temporary;
  for (const fs::path& pair : golden_surgeries())
    for (const std::string kind : {"", ".norms", ".gates"}) {
      const fs::path out = temporary.path() / (pair.filename().string() + kind);
      expect_golden(pair, kind, out);
      if (kind.empty()) expect_listed_rows(pair, out);
    }
}

}  // namespace
}  // namespace niah::models
