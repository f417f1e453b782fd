// The released checkpoints' configs: layers, parameter counts and tensors, without weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "models/registry.h"
#include "tests/models/arch/released.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json hypenet(std::int64_t layers, std::int64_t d, std::int64_t ff, std::int64_t heads,
             const std::set<std::int64_t>& softmax) {
  return {{"model_type", "hypenet"},
          {"architectures", {"HypeNetForCausalLM"}},
          {"vocab_size", 151936},
          {"hidden_size", d},
          {"intermediate_size", ff},
          {"num_hidden_layers", layers},
          {"mixer_types", pattern(layers, "lightning-attn", {{"attn", softmax}})},
          {"num_attention_heads", heads},
          {"num_key_value_heads", 8},
          {"head_dim", 128},
          {"attn_use_rope", false},
          {"attn_logits_scaling", nullptr},
          {"attn_use_output_gate", true},
          {"lightning_nh", heads},
          {"lightning_nkv", heads},
          {"lightning_head_dim", 128},
          {"lightning_scale", "1/sqrt(d)"},
          {"lightning_use_rope", true},
          {"lightning_use_qk_norm", true},
          {"lightning_use_output_norm", true},
          {"lightning_use_output_gate", true},
          {"lightning_use_short_conv", false},
          {"lightning_rope_scaling", nullptr},
          {"attention_bias", false},
          {"hidden_act", "silu"},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 1000000},
          {"rope_scaling", nullptr},
          {"tie_word_embeddings", true},
          {"max_position_embeddings", 1048576},
          {"bos_token_id", 151643},
          {"eos_token_id", 151645},
          {"torch_dtype", "bfloat16"}};
}

json jet_nemotron(std::int64_t layers, std::int64_t d, std::int64_t ff, std::int64_t heads,
                  const std::set<std::int64_t>& full, const std::set<std::int64_t>& window,
                  std::int64_t window_size, std::int64_t key_dim, const json& expand) {
  return {{"model_type", "jet_nemotron"},
          {"architectures", {"JetNemotronForCausalLM"}},
          {"vocab_size", 151936},
          {"hidden_size", d},
          {"intermediate_size", ff},
          {"num_hidden_layers", layers},
          {"layer_types", pattern(layers, "jet", {{"attn", full}, {"swa", window}})},
          {"num_attention_heads", heads},
          {"num_key_value_heads", 2},
          {"efficient_attention_config",
           {{"swa", {{"window_size", window_size}}},
            {"jet",
             {{"mode", "chunk"},
              {"expand_v", expand},
              {"num_heads", heads},
              {"head_dim", key_dim},
              {"norm_eps", "1e-5"},
              {"conv_size", 4},
              {"dconv_generator_reduction", 8},
              {"dconv_implementation", "triton"}}}}},
          {"hidden_act", "silu"},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 1000000.0},
          {"rope_scaling", nullptr},
          {"tie_word_embeddings", true},
          {"max_position_embeddings", 131072},
          {"bos_token_id", 151643},
          {"eos_token_id", 151643}};
}

std::vector<Released> all_released() {
  return {
      {"HypeNet-2B",
       hypenet(28, 2048, 6144, 16, {2, 3, 6, 8, 9, 21, 25}),
       1926138880,
       359,
       "LLAALLALAALLLLLLLLLLLALLLALL",
       {{"model.embed_tokens.weight", {151936, 2048}},
        {"model.layers.2.self_attn.o_gate.weight", {2048, 2048}},
        {"model.layers.2.self_attn.k_proj.weight", {1024, 2048}},
        {"model.layers.0.self_attn.k_proj.weight", {2048, 2048}},
        {"model.layers.0.self_attn.o_norm.weight", {2048}},
        {"model.layers.27.mlp.down_proj.weight", {2048, 6144}}}},
      {"HypeNet-5B",
       hypenet(36, 2560, 9728, 32, {0, 1, 7, 14, 15, 22, 24, 31, 33}),
       4824739328,
       461,
       "AALLLLLALLLLLLAALLLLLLALALLLLLLALALL",
       {{"model.layers.0.self_attn.q_proj.weight", {4096, 2560}},
        {"model.layers.0.self_attn.o_proj.weight", {2560, 4096}},
        {"model.layers.2.self_attn.z_proj.weight", {4096, 2560}},
        {"model.layers.2.self_attn.q_norm.weight", {128}}}},
      {"HypeNet-9B",
       hypenet(36, 4096, 12288, 32, {1, 2, 4, 6, 7, 10, 24, 33, 34}),
       8851973120,
       461,
       "LAALALAALLALLLLLLLLLLLLLALLLLLLLLAAL",
       {{"model.layers.35.self_attn.o_proj.weight", {4096, 4096}},
        {"model.layers.34.self_attn.v_proj.weight", {1024, 4096}}}},
      {"Jet-Nemotron-2B",
       jet_nemotron(28, 1536, 8960, 12, {14, 19}, {20, 21}, 1152, 96, 2.6666666667),
       1964806208,
       482,
       "JJJJJJJJJJJJJJAJJJJAWWJJJJJJ",
       {{"model.layers.0.self_attn.v_proj.weight", {3072, 1536}},
        {"model.layers.0.self_attn.q_proj.weight", {1152, 1536}},
        {"model.layers.0.self_attn.dynamic_conv1d.kernel_generator.w1.weight", {384, 1536}},
        {"model.layers.0.self_attn.dynamic_conv1d.kernel_generator.w2.weight", {12288, 384}},
        {"model.layers.0.self_attn.o_norm.weight", {256}},
        {"model.layers.0.self_attn.A_log", {12}},
        {"model.layers.14.self_attn.k_proj.bias", {256}},
        {"model.layers.20.self_attn.q_proj.weight", {1536, 1536}}}},
      {"Jet-Nemotron-4B",
       jet_nemotron(36, 2048, 11008, 16, {17, 20, 32}, {5, 16, 19, 21, 22, 25, 27}, 2048, 128, 2),
       3960424768,
       590,
       "JJJJJWJJJJJJJJJJWAJWAWWJJWJWJJJJAJJJ",
       {{"model.layers.0.self_attn.v_proj.weight", {4096, 2048}},
        {"model.layers.0.self_attn.dynamic_conv1d.kernel_generator.w2.bias", {16384}},
        {"model.layers.5.self_attn.k_proj.weight", {256, 2048}}}},
  };
}

class ReleasedConfig : public testing::TestWithParam<Released> {};

TEST_P(ReleasedConfig, HasItsParametersTensorsAndLayers) { expect_released(GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, ReleasedConfig, testing::ValuesIn(all_released()),
                         [](const auto& info) { return test_name(info.param); });

TEST(HypeNet, WarnsWhenTheLogitsScalingOfItsSizeIsMissing) {
  const auto warnings = [](json config) {
    ShapeSource source;
    std::string all;
    const auto model = make_model(config, "c", source);
    for (const std::string& line : model->info().warnings) all += line;
    return all;
  };
  const json two = all_released()[0].config, five = all_released()[1].config;
  EXPECT_THAT(warnings(two), HasSubstr("hype 500"));
  EXPECT_THAT(warnings(five), HasSubstr("attn_logits_scaling"));
  EXPECT_EQ(warnings(override_config(two, {{"attn_logits_scaling", "hype 500"}})), "");
}

/// The error of config `index` in all_released with `field` set to `value`, or "accepted".
std::string refusal(std::size_t index, const std::string& field, const json& value) {
  json config = all_released()[index].config;
  config[json::json_pointer(field)] = value;
  ShapeSource source;
  return refusal_of([&] { make_model(config, "config.json", source); });
}

TEST(JetNemotron, ConfigFieldsAreHonouredOrRefused) {
  const std::vector<std::tuple<const char*, json, const char*>> cases = {
      {"/layer_types/3", "lightning", "layer_types"},
      {"/layer_types", {"jet"}, "layer_types"},
      {"/efficient_attention_config/jet/mode_", "x", "did you mean 'mode'"},
      {"/efficient_attention_config/jet/conv_size", 5, "conv_size"},
      {"/efficient_attention_config/jet/expand_v", 2.51, "expand_v"},
      {"/efficient_attention_config/jet/norm_eps", "small", "norm_eps"},
      {"/efficient_attention_config/gla", json::object(), "gla"},
      {"/rope_scaling", {{"type", "yarn"}}, "rope_scaling"},
      {"/use_mrope", true, "use_mrope"},
      {"/hidden_act", "gelu", "hidden_act"},
      {"/window", 5, "window"},
  };
  for (const auto& [field, value, expected] : cases)
    EXPECT_THAT(refusal(3, field, value), HasSubstr(expected)) << field;
}

}  // namespace
}  // namespace niah::models
