// The meaning of configs of the softmax families, tested on released ones without weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "models/registry.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Released {
  const char* name;
  json config;
  std::int64_t parameters;
  const char* pattern;
};

json config_of(const char* family, std::int64_t vocab, std::int64_t d, std::int64_t ff,
               std::int64_t layers, std::int64_t heads, std::int64_t kv_heads, const json& own) {
  json config = {{"model_type", family},
                 {"vocab_size", vocab},
                 {"hidden_size", d},
                 {"intermediate_size", ff},
                 {"num_hidden_layers", layers},
                 {"num_attention_heads", heads},
                 {"hidden_act", "silu"},
                 {"num_key_value_heads", kv_heads},
                 {"torch_dtype", "bfloat16"}};
  config.update(own);
  return config;
}

std::map<std::string, Released> all_released() {
  const json llama3 = {{"factor", 32.0},
                       {"high_freq_factor", 4.0},
                       {"low_freq_factor", 1.0},
                       {"original_max_position_embeddings", 8192},
                       {"rope_type", "llama3"}};
  const json yarn = {{"attention_factor", 1.2079441541679836},
                     {"beta_fast", 32.0},
                     {"beta_slow", 1.0},
                     {"factor", 8.0},
                     {"original_max_position_embeddings", 8192},
                     {"rope_type", "yarn"}};
  const std::vector<Released> all = {
      {"Llama-3.2-1B",
       config_of("llama", 128256, 2048, 8192, 16, 32, 8,
                 {{"head_dim", 64},
                  {"rope_scaling", llama3},
                  {"rope_theta", 500000.0},
                  {"mlp_bias", false},
                  {"pretraining_tp", 1},
                  {"tie_word_embeddings", true}}),
       1235814400, "AAAAAAAAAAAAAAAA"},
      {"Mistral-7B-v0.1",
       config_of("mistral", 32000, 4096, 14336, 32, 32, 8,
                 {{"sliding_window", 4096}, {"rope_theta", 10000.0}}),
       7241732096, "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"},
      {"SmolLM3-3B",
       config_of("smollm3", 128256, 2048, 11008, 36, 16, 4,
                 {{"max_window_layers", 28},
                  {"no_rope_layer_interval", 4},
                  {"rope_theta", 5000000.0},
                  {"sliding_window", nullptr},
                  {"use_sliding_window", false}}),
       3075098624, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
      {"Granite-3.3-2B",
       config_of("granite", 49159, 2048, 8192, 40, 32, 8,
                 {{"attention_multiplier", 0.015625},
                  {"embedding_multiplier", 12.0},
                  {"logits_scaling", 8.0},
                  {"residual_multiplier", 0.22},
                  {"rope_theta", 10000000.0},
                  {"tie_word_embeddings", true}}),
       2533539840, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
      {"OLMo-2-1B", config_of("olmo2", 100352, 2048, 8192, 16, 16, 16, {{"rope_theta", 500000}}),
       1484916736, "AAAAAAAAAAAAAAAA"},
      {"Olmo-3-7B",
       config_of("olmo3", 100278, 4096, 11008, 32, 32, 32,
                 {{"rope_theta", 500000}, {"rope_scaling", yarn}, {"sliding_window", 4096}}),
       7298011136, "WWWAWWWAWWWAWWWAWWWAWWWAWWWAWWWA"},
  };
  std::map<std::string, Released> by_family;
  for (const Released& one : all) by_family[one.config["model_type"]] = one;
  return by_family;
}

std::shared_ptr<CausalLM> build(const json& config) {
  ShapeSource source;
  return make_model(config, "config.json", source);
}

std::string setting(const json& config, const std::string& name) {
  return build(config)->info().settings.at(name);
}

TEST(SoftmaxFamilies, HaveTheirPublishedSizesAndLayers) {
  for (const auto& [family, released] : all_released()) {
    ShapeSource source;
    const auto model = make_model(released.config, released.name, source);
    EXPECT_EQ(source.parameters(), released.parameters) << released.name;
    EXPECT_EQ(layer_pattern(model->info()), released.pattern) << released.name;
    EXPECT_EQ(model->info().architecture, family);
  }
}

TEST(SoftmaxFamilies, FieldsThatAreLeftOutHaveTheDefaultsOfTheFamily) {
  json mistral = all_released().at("mistral").config;
  mistral.erase("sliding_window");
  EXPECT_EQ(setting(mistral, "sliding_window"), "4096");
  mistral["sliding_window"] = nullptr;
  EXPECT_EQ(layer_pattern(build(mistral)->info()).find('W'), std::string::npos);

  json smol = all_released().at("smollm3").config;
  smol["num_hidden_layers"] = 8;
  EXPECT_EQ(setting(smol, "layers with rotary embedding"), "RRR-RRR-");
  EXPECT_EQ(setting(smol, "tie_word_embeddings"), "true");
  smol["no_rope_layer_interval"] = 2;
  smol["sliding_window"] = 64;
  smol["use_sliding_window"] = true;
  EXPECT_EQ(layer_pattern(build(smol)->info()), "AWAWAWAW");  // windows where there is no RoPE
  smol.erase("rope_theta");
  EXPECT_EQ(setting(smol, "rope_theta"), "2000000");

  json granite = all_released().at("granite").config;
  granite.erase("attention_multiplier");
  EXPECT_EQ(setting(granite, "scale of attention"), "1");
}

TEST(SoftmaxFamilies, ScalingOfOlderOlmo3ConfigsIsThatOfLayersWithoutAWindow) {
  json olmo = all_released().at("olmo3").config;
  EXPECT_THAT(setting(olmo, "rope scaling"), HasSubstr("yarn 8 of 8192"));
  EXPECT_EQ(setting(olmo, "rope scaling of windows"), "none");
  EXPECT_EQ(setting(olmo, "rope_theta of windows"), "500000");
  olmo.erase("rope_theta");
  olmo.erase("rope_scaling");
  olmo["rope_parameters"] = {{"sliding_attention", {{"rope_theta", 10000}}}};
  EXPECT_EQ(setting(olmo, "rope_theta"), "500000");
  EXPECT_EQ(setting(olmo, "rope_theta of windows"), "10000");
}

/// The error of a family's config with `field` set to `value`, or "accepted".
std::string refusal(const std::string& family, const std::string& field, const json& value) {
  json config = all_released().at(family).config;
  config[json::json_pointer(field)] = value;
  return refusal_of([&] { build(config); });
}

TEST(SoftmaxFamilies, ConfigFieldsAreHonouredOrRefused) {
  struct Case {
    const char *family, *field;
    json value;
    const char* expected;
  };
  const std::vector<Case> cases = {
      {"llama", "/rope_scaling/rope_type", "dynamic", "default, llama3 and yarn are"},
      {"llama", "/rope_scaling/rope_type", "linear", "'linear' is not supported"},
      {"llama", "/rope_scaling/low_freq_factor", nullptr, "low_freq_factor: rotary scaling"},
      {"llama", "/rope_scaling/high_freq_factor", 1, "above low_freq_factor"},
      {"llama", "/rope_parameters", {{"rope_theta", 1e4}}, "contradicts"},
      {"llama", "/partial_rotary_factor", 0.5, "partial_rotary_factor"},
      {"llama", "/rope_interleaved", true, "rope_interleaved"},
      {"llama", "/head_dim", 63, "head_dim"},
      {"llama", "/sliding_window", 4096, "sliding_window"},
      {"mistral", "/attention_bias", true, "attention_bias"},
      {"mistral", "/sliding_window", 0, "sliding_window: a positive integer"},
      {"mistral", "/layer_types", {"full_attention"}, "layer_types"},
      {"smollm3", "/no_rope_layers", {1, 0}, "a list of 36 numbers"},
      {"smollm3", "/no_rope_layers", std::vector<int>(36, 2), "0 or 1 was expected of layer 0"},
      {"smollm3", "/layer_types", std::vector<std::string>(36, "sliding_attention"),
       "sliding_window: a positive integer"},
      {"granite", "/logits_scaling", 0, "logits_scaling"},
      {"granite", "/attention_multiplier", "0.1", "attention_multiplier"},
      {"olmo2", "/mlp_bias", true, "mlp_bias"},
      {"olmo3", "/rope_scaling/mscale", 0.7, "mscale"},
      {"olmo3", "/rope_scaling/truncate", false, "truncate"},
      {"olmo3", "/rope_parameters", {{"full_attention", json::object()}}, "rope_scaling"},
      {"olmo3", "/layer_types", {"full_attention"}, "1 entries for num_hidden_layers = 32"},
      {"olmo3", "/hidden_act", "gelu", "hidden_act"},
  };
  for (const auto& [family, field, value, expected] : cases)
    EXPECT_THAT(refusal(family, field, value), HasSubstr(expected)) << family << field;

  json olmo = all_released().at("olmo3").config;
  olmo.erase("rope_scaling");
  olmo.erase("rope_theta");
  olmo["rope_parameters"] = {{"rope_theta", 1e4}, {"rope_type", "default"}};
  try {
    build(olmo);
    ADD_FAILURE() << "accepted";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("full_attention and sliding_attention were expected"));
  }
}

}  // namespace
}  // namespace niah::models
