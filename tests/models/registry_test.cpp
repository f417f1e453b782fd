#include "models/registry.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <functional>
#include <map>
#include <sstream>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/checkpoint/checkpoint.h"
#include "models/load_model.h"
#include "models/weights.h"
#include "tests/models/support.h"
#include "tests/paths.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using testing::HasSubstr;

/// The cells of a row "| a | b | c |".
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream row(line.substr(1));
  for (std::string cell; std::getline(row, cell, '|');) {
    const std::size_t first = cell.find_first_not_of(' ');
    if (first == cell.npos) continue;
    cells.push_back(cell.substr(first, cell.find_last_not_of(' ') + 1 - first));
  }
  return cells;
}

/// README's table: for each model_type, what it was tested against.
std::map<std::string, std::string> read_table() {
  std::istringstream readme(read_file(NIAH_SOURCE_DIR "/README.md", "test"));
  std::map<std::string, std::string> table;
  std::string line, above;
  while (std::getline(readme, line) && !line.starts_with("| `model_type` |")) continue;
  std::getline(readme, line);  // skip the rule below the heading
  while (std::getline(readme, line) && line.starts_with("|")) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() != 3) {
      ADD_FAILURE() << line;
      continue;
    }
    if (cells[2] != "the same") above = cells[2];
    std::istringstream names(cells[0]);
    for (std::string name; std::getline(names, name, '`') && std::getline(names, name, '`');)
      table[name] = above;
  }
  return table;
}

TEST(Registry, ReadmeSaysOfEveryArchitectureWhatInfoSays) {
  std::map<std::string, std::string> table = read_table();
  for (const std::string& name : known_architectures()) {
    EXPECT_EQ(table[name], tested_against(name)) << name;
    EXPECT_FALSE(tested_against(name).empty()) << name;
    table.erase(name);
  }
  for (const auto& [name, said] : table) ADD_FAILURE() << name << " is in README.md alone";
}

TEST(Registry, OtherSpellingsWereTestedAgainstTheSame) {
  EXPECT_EQ(tested_against("qwen3_5_text"), tested_against("qwen3_5"));
  EXPECT_EQ(tested_against("unheard_of"), "");
}

/// The error of require_same_model for a checkpoint's config and `changed`, or "same".
std::string differences(const Checkpoint& checkpoint, const nlohmann::json& changed) {
  const auto info = [&](const nlohmann::json& config) {
    return check_tensors(checkpoint, config)->info();
  };
  try {
    require_same_model("one", info(checkpoint.config()), "other", info(changed));
  } catch (const DataError& error) {
    return error.what();
  }
  return "same";
}

TEST(SameModel, WhateverTheSpellingOfItsConfig) {
  const Checkpoint checkpoint(test_data() / "models/qwen3-tiny");
  const auto same = [&](const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json config = checkpoint.config();
    change(config);
    EXPECT_EQ(differences(checkpoint, config), "same") << config;
  };
  same([](auto& config) { config["use_cache"] = false; });
  same([](auto& config) { config["eos_token_id"] = 2; });
  same([](auto& config) { config["eos_token_id"] = {1, 2}; });
  same([](auto& config) { config["pad_token_id"] = 0; });
  same([](auto& config) { config["max_position_embeddings"] = 131072; });
  same([](auto& config) { config.erase("sliding_window"); });
  same([](auto& config) {  // in the form of transformers 4
    config.erase("rope_parameters");
    config.erase("layer_types");
    config.erase("dtype");
    config["torch_dtype"] = "bfloat16";
    config["rope_theta"] = 10000;
    config["rope_scaling"] = nullptr;
  });
  same([](auto& config) {
    config["rope_parameters"] = {{"rope_theta", 10000}, {"type", "default"}};
  });
  same([](auto& config) { config.erase("attention_bias"); });
}

TEST(SameModel, NotWhereSomethingIsComputedInAnotherWay) {
  const Checkpoint checkpoint(test_data() / "models/qwen3-tiny");
  nlohmann::json config = checkpoint.config();
  config["rope_parameters"]["rope_theta"] = 500000.0;
  EXPECT_THAT(differences(checkpoint, config), HasSubstr("rope_theta: 10000 and 500000"));
  config["rope_parameters"] = {{"rope_theta", 10000.0}, {"rope_type", "linear"}, {"factor", 2.0}};
  EXPECT_THAT(differences(checkpoint, config), HasSubstr("rope scaling: none and linear 2"));
  config = checkpoint.config();
  config["rms_norm_eps"] = 1e-5;
  EXPECT_THAT(differences(checkpoint, config), HasSubstr("rms_norm_eps: 1e-06 and 1e-05"));
  config = checkpoint.config();
  config["use_sliding_window"] = true;
  config["sliding_window"] = 64;
  config["layer_types"][1] = "sliding_attention";
  EXPECT_THAT(differences(checkpoint, config), HasSubstr("AWAA"));
  config["layer_types"] = nullptr;
  config["sliding_window"] = nullptr;  // no window, as in transformers, not one of 4096
  config["max_window_layers"] = 1;
  EXPECT_EQ(differences(checkpoint, config), "same");
}

TEST(SameModel, HybridsInBothSpellings) {
  const Checkpoint hypenet(test_data() / "models/hypenet-tiny-sharded");
  nlohmann::json config = hypenet.config();
  config["rope_parameters"] = {{"rope_theta", config["rope_theta"]}, {"rope_type", "default"}};
  config.erase("rope_theta");
  config.erase("rope_scaling");
  config["eos_token_id"] = nullptr;
  EXPECT_EQ(differences(hypenet, config), "same");
  config["lightning_scale"] = "1/d";
  EXPECT_THAT(differences(hypenet, config), HasSubstr("lightning_scale"));
  const Checkpoint jet(test_data() / "models/jet-tiny-bf16");
  config = jet.config();
  config["rope_parameters"] = {{"rope_theta", 1000000}};
  config.erase("rope_theta");
  EXPECT_EQ(differences(jet, config), "same");
  config["efficient_attention_config"]["jet"]["norm_eps"] = "1e-3";
  EXPECT_THAT(differences(jet, config), HasSubstr("norm_eps"));
}

/// The config's fields that are factors, without block_ffn_dim_multiplier, which determines a size.
std::vector<std::string> factors_of(const nlohmann::json& config) {
  std::vector<std::string> fields;
  for (const auto& [field, value] : config.items())
    for (const char* end : {"_multiplier", "_multipliers", "_factor", "logits_scaling"})
      if (field.ends_with(end) && field != "block_ffn_dim_multiplier") fields.push_back(field);
  return fields;
}

TEST(Registry, NoFactorOfAConfigIsBeyondWhatItsNumbersCanHold) {
  int tried = 0;
  for (const auto& folder : std::filesystem::directory_iterator(test_data() / "models")) {
    if (!folder.is_directory()) continue;
    const nlohmann::json config = parse_config_file(folder.path() / "config.json", "test");
    for (const std::string& field : factors_of(config))
      for (const double bad : {1e300, 1e30, 0.0, -1.0, 1e-300}) {
        nlohmann::json changed = config;
        nlohmann::json& value = changed[field];
        (value.is_array() ? value.back() : value) = bad;
        ShapeSource shapes;
        EXPECT_THAT(refusal_of([&] { make_model(changed, "config.json", shapes); }),
                    HasSubstr("reading config.json: " + field))
            << folder.path() << " " << bad;
        ++tried;
      }
  }
  EXPECT_GT(tried, 100);
}

TEST(TiedHead, PresentAndEqualIsDroppedPresentAndDifferentIsRefused) {
  ModelInfo tied;
  tied.tied_head = "lm_head.weight";
  tied.others = {{std::nullopt, {Part::kEmbedding, {"model.embed_tokens.weight", 0, 4, 4, 1}}}};
  const at::Tensor embedding = torch::randn({4, 2});
  WeightMap weights = {{"model.embed_tokens.weight", embedding},
                       {"lm_head.weight", embedding.clone()}};
  resolve_tied_head(tied, "x", weights);
  EXPECT_FALSE(weights.contains("lm_head.weight"));
  weights["lm_head.weight"] = embedding + 1;
  EXPECT_THROW(resolve_tied_head(tied, "x", weights), DataError);
  resolve_tied_head(ModelInfo(), "x", weights);
  EXPECT_TRUE(weights.contains("lm_head.weight"));
}

}  // namespace
}  // namespace niah::models
