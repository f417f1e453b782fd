// Configs of the families with Mamba-2 mixers, and the MixerInfo of their layers.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/registry.h"
#include "tests/models/support.h"
#include "tests/models/tiny_hybrids.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const json kFalcon = {
    {"model_type", "falcon_h1"}, {"vocab_size", 50},       {"hidden_size", 32},
    {"intermediate_size", 48},   {"num_hidden_layers", 2}, {"num_attention_heads", 4},
    {"num_key_value_heads", 2},  {"mamba_d_ssm", 24},      {"mamba_n_heads", 3},
    {"mamba_d_head", "auto"},    {"mamba_n_groups", 1},    {"mamba_d_state", 16}};
const json kNemotron = {{"model_type", "nemotron_h"},
                        {"vocab_size", 50},
                        {"hidden_size", 32},
                        {"intermediate_size", 48},
                        {"num_attention_heads", 4},
                        {"num_key_value_heads", 2},
                        {"head_dim", 8},
                        {"mamba_num_heads", 4},
                        {"mamba_head_dim", 8},
                        {"n_groups", 2},
                        {"ssm_state_size", 16},
                        {"hybrid_override_pattern", "M-*E"},
                        {"moe_intermediate_size", 8},
                        {"moe_shared_expert_intermediate_size", 12}};
const json kGranite = {{"model_type", "granitemoehybrid"},
                       {"vocab_size", 50},
                       {"hidden_size", 32},
                       {"num_hidden_layers", 2},
                       {"num_attention_heads", 4},
                       {"layer_types", {"mamba", "attention"}},
                       {"shared_intermediate_size", 48},
                       {"num_local_experts", 0},
                       {"mamba_expand", 1},
                       {"mamba_n_heads", 4},
                       {"mamba_d_state", 16}};
const json kBamba = {
    {"model_type", "bamba"},    {"vocab_size", 50},          {"hidden_size", 32},
    {"intermediate_size", 48},  {"num_hidden_layers", 3},    {"num_attention_heads", 4},
    {"num_key_value_heads", 2}, {"attn_layer_indices", {1}}, {"mamba_expand", 1},
    {"mamba_n_heads", 4},       {"mamba_d_state", 16}};

std::string refusal(const json& config, const json& changes) {
  return refusal_of([&] { info_of(config, changes); });
}

TEST(Mamba2Families, InfinityHasManySpellings) {
  const std::vector<json> infinities = {
      {{"__float__", "Infinity"}}, "Infinity", "inf", 1e30, 1e300};
  for (const json& config : {kFalcon, kNemotron, kGranite, kBamba}) {
    for (const json& infinity : infinities)
      EXPECT_EQ(refusal(config, {{"time_step_limit", json::array({0.0, infinity})}}), "accepted");
    for (const json& limit :
         {json::array({0.001, "inf"}), json::array({0.0, 0.1}), json::array({0.0}), json(0.1)})
      EXPECT_THAT(refusal(config, {{"time_step_limit", limit}}),
                  HasSubstr("time_step_limit: only (0, infinity)"));
  }
}

TEST(Mamba2Families, FieldsThatInitialiseTheStepComputeNothing) {
  for (const json& config : {kFalcon, kNemotron, kGranite, kBamba})
    EXPECT_EQ(info_of(config).settings,
              info_of(config, {{"time_step_min", 0.5}, {"time_step_floor", 0.1}}).settings);
}

TEST(Mamba2Families, UnknownFieldsAreRefused) {
  for (const json& config : {kFalcon, kNemotron, kGranite, kBamba})
    EXPECT_THAT(refusal(config, {{"mamba_d_stat", 4}}), HasSubstr("mamba_d_stat"));
}

TEST(Mamba2Families, SizesMustFit) {
  EXPECT_THAT(refusal(kFalcon, {{"mamba_d_head", 9}}), HasSubstr("mamba_n_heads (3) times 9"));
  EXPECT_THAT(refusal(kGranite, {{"mamba_expand", 2}, {"mamba_d_head", 8}}),
              HasSubstr("which is 64"));
  EXPECT_THAT(refusal(kFalcon, {{"mamba_n_groups", 2}}),
              HasSubstr("2 does not divide the 3 heads"));
  EXPECT_THAT(refusal(kNemotron, {{"n_groups", 3}}), HasSubstr("3 does not divide the 4 heads"));
  EXPECT_THAT(refusal(kFalcon, {{"ssm_multipliers", {1, 2}}}), HasSubstr("a list of 5 numbers"));
}

TEST(FalconH1, ALayerIsOneMixerThatAttendsAndHasAState) {
  const ModelInfo info = info_of(kFalcon);
  EXPECT_EQ(layer_pattern(info), "PP");
  const MixerInfo& mixer = info.mixers[0];
  EXPECT_TRUE(mixer.attends && mixer.is_recurrent() && mixer.has_plain_routing);
  EXPECT_EQ(mixer.cost.kv_values, 2 * 2 * 8);
  EXPECT_EQ(mixer.cost.query_values, 4 * 8);
  EXPECT_EQ(mixer.cost.state_values, 3 * 8 * 16);
  EXPECT_EQ(mixer.cost.tail_values, 3 * (24 + 2 * 16));
  EXPECT_GT(mixer.cost.token_flops, 0);
  // A restoration takes only tensors of the attention.
  for (const auto& [part, name] :
       {std::pair{Part::kQuery, "q_proj"}, std::pair{Part::kKey, "k_proj"},
        std::pair{Part::kValue, "v_proj"}}) {
    ASSERT_EQ(mixer.of(part).size(), 1U) << name;
    EXPECT_EQ(mixer.of(part)[0].rows.tensor,
              std::string("model.layers.0.self_attn.") + name + ".weight");
  }
  EXPECT_TRUE(mixer.of(Part::kGate).empty());
}

TEST(NemotronH, LayersAreMixersMlpsOrExperts) {
  const ModelInfo info = info_of(kNemotron);
  EXPECT_EQ(layer_pattern(info), "M-AE");
  for (const std::size_t alone : {1U, 3U}) {
    EXPECT_TRUE(info.mixers[alone].parts.empty());
    EXPECT_EQ(info.mixers[alone].cost.state_values + info.mixers[alone].cost.kv_values, 0);
  }
  EXPECT_EQ(info.mixers[2].of(Part::kQuery)[0].rows.tensor,
            "backbone.layers.2.mixer.q_proj.weight");
  const json names = {"linear_attention", "mlp", "full_attention", "moe"};
  EXPECT_EQ(layer_pattern(info_of(kNemotron, {{"layers_block_type", names}})), "M-AE");
  EXPECT_THAT(refusal(kNemotron, {{"layers_block_type", {"mlp", "mlp"}}}),
              HasSubstr("hybrid_override_pattern: it contradicts"));
  EXPECT_THAT(refusal(kNemotron, {{"hybrid_override_pattern", nullptr}}),
              HasSubstr("layers_block_type: it is missing"));
  EXPECT_THAT(refusal(kNemotron, {{"hybrid_override_pattern", "MX"}}), HasSubstr("M, *, - and E"));
}

TEST(NemotronH, ExpertsThatNoTokenCanChooseAreRefused) {
  EXPECT_THAT(refusal(kNemotron, {{"n_group", 3}}), HasSubstr("3 does not divide the 8 experts"));
  EXPECT_THAT(refusal(kNemotron, {{"topk_group", 2}}), HasSubstr("there are 1 groups"));
  EXPECT_THAT(refusal(kNemotron, {{"n_group", 4}, {"num_experts_per_tok", 3}}),
              HasSubstr("choose among 2 experts, found 3"));
  // Without a mixture-of-experts layer the field is not checked.
  EXPECT_EQ(refusal(kNemotron, {{"n_group", 3}, {"hybrid_override_pattern", "M-"}}), "accepted");
}

TEST(NemotronH, NeverTiesItsHead) {
  EXPECT_EQ(info_of(kNemotron, {{"tie_word_embeddings", true}}).tied_head, "");
}

TEST(Granite4, PositionsAreForThoseWhoSaySo) {
  EXPECT_EQ(info_of(kGranite).settings.at("rope_theta"), "no rotary embedding");
  EXPECT_EQ(info_of(kGranite, {{"position_embedding_type", "rope"}}).settings.at("rope_theta"),
            "10000");
  EXPECT_THAT(refusal(kGranite, {{"position_embedding_type", "alibi"}}),
              HasSubstr("position_embedding_type"));
}

TEST(Bamba, HalfOfAHeadIsRotated) {
  EXPECT_EQ(layer_pattern(info_of(kBamba)), "MAM");
  EXPECT_EQ(info_of(kBamba).settings.at("rotated part of a head"), "4");
  EXPECT_EQ(refusal(kBamba, {{"attn_rotary_emb", 4}}), "accepted");
  EXPECT_THAT(refusal(kBamba, {{"attn_rotary_emb", 8}}), HasSubstr("attn_rotary_emb"));
  EXPECT_THAT(refusal(kBamba, {{"attn_layer_indices", {3}}}), HasSubstr("layers from 0 to 2"));
}

TEST(ConfigFile, HasInfinityAsABareWord) {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    write_file(folder.path() / "config.json", text);
    return parse_config_file(folder.path() / "config.json", "testing");
  };
  const json config = read(R"({"limit": [0.0, Infinity], "name": "to \"Infinity\" and Infinity"})");
  EXPECT_EQ(config["limit"], json::array({0.0, "inf"}));
  EXPECT_EQ(config["name"], "to \"Infinity\" and Infinity");
  for (const char* wrong :
       {"{\"a\": -Infinity}", "{\"a\": NaN}", "{\"a\": Infinity1}", "{Infinity}"})
    EXPECT_THROW(read(wrong), DataError) << wrong;
  try {
    read("{\"a\": Infinity,\n \"b\": Infinity, ?}");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("config.json:2:17: not valid JSON"));
  }
}

TEST(ConfigFile, OthersHaveNoInfinity) {
  const TemporaryFolder folder;
  write_file(folder.path() / "index.json", R"({"a": Infinity})");
  EXPECT_THROW(parse_json_file(folder.path() / "index.json", "testing"), DataError);
}

}  // namespace
}  // namespace niah::models
