// Kimi Linear's configs and the MixerInfo of its layers.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "models/surgery/restored_rows.h"
#include "tests/models/tiny_hybrids.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string refusal(const json& changes) {
  return refusal_of([&] { info_of(tiny_kimi(), changes); });
}

/// A config in the spelling of the released checkpoint.
json released() {
  json full = json::array(), delta = json::array();
  for (int layer = 1; layer <= 27; ++layer)
    (layer % 4 == 0 || layer == 27 ? full : delta).push_back(layer);
  return {{"model_type", "kimi_linear"},
          {"architectures", {"KimiLinearForCausalLM"}},
          {"bos_token_id", 163584},
          {"dtype", "bfloat16"},
          {"eos_token_id", 163586},
          {"first_k_dense_replace", 1},
          {"head_dim", 72},
          {"hidden_act", "silu"},
          {"hidden_size", 2304},
          {"initializer_range", 0.02},
          {"intermediate_size", 9216},
          {"kv_lora_rank", 512},
          {"linear_attn_config",
           {{"full_attn_layers", full},
            {"kda_layers", delta},
            {"head_dim", 128},
            {"num_heads", 32},
            {"short_conv_kernel_size", 4}}},
          {"mla_use_nope", true},
          {"model_max_length", 1048576},
          {"moe_intermediate_size", 1024},
          {"moe_layer_freq", 1},
          {"moe_renormalize", true},
          {"moe_router_activation_func", "sigmoid"},
          {"num_attention_heads", 32},
          {"num_expert_group", 1},
          {"num_experts", 256},
          {"num_experts_per_token", 8},
          {"num_hidden_layers", 27},
          {"num_key_value_heads", 32},
          {"num_nextn_predict_layers", 0},
          {"num_shared_experts", 1},
          {"pad_token_id", 163839},
          {"q_lora_rank", nullptr},
          {"qk_nope_head_dim", 128},
          {"qk_rope_head_dim", 64},
          {"rms_norm_eps", 1e-5},
          {"rope_scaling", nullptr},
          {"rope_theta", 10000.0},
          {"routed_scaling_factor", 2.446},
          {"tie_word_embeddings", false},
          {"topk_group", 1},
          {"use_cache", true},
          {"use_grouped_topk", true},
          {"v_head_dim", 128},
          {"vocab_size", 163840}};
}

TEST(KimiLinear, ReleasedConfigHasItsLayersAndSize) {
  ShapeSource source;
  const auto model = make_model(released(), "config.json", source);
  EXPECT_EQ(layer_pattern(model->info()), "KKKAKKKAKKKAKKKAKKKAKKKAKKA");
  EXPECT_NEAR(static_cast<double>(source.parameters()), 49e9, 0.5e9);
  const auto shape = [&](const char* name) {
    return source.shapes().at(std::string("model.layers.") + name);
  };
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(shape("0.mlp.gate_proj.weight"), (Shape{9216, 2304}));
  EXPECT_EQ(shape("0.self_attn.A_log"), (Shape{1, 1, 32, 1}));
  EXPECT_EQ(shape("0.self_attn.f_b_proj.weight"), (Shape{4096, 128}));
  EXPECT_EQ(shape("1.block_sparse_moe.experts.255.w2.weight"), (Shape{2304, 1024}));
  EXPECT_EQ(shape("3.self_attn.kv_b_proj.weight"), (Shape{32 * 256, 512}));
  EXPECT_EQ(shape("3.self_attn.kv_a_proj_with_mqa.weight"), (Shape{576, 2304}));
  EXPECT_EQ(model->info().max_positions, 1048576);
  EXPECT_NEAR(model->info().expert_share, 8.0 / 256, 1e-12);
}

TEST(KimiLinear, ReadsBothSpellings) {
  json config = tiny_kimi();
  config.erase("linear_attn_config");
  config.erase("num_expert_group");
  config.erase("num_experts_per_token");
  config.erase("num_experts");
  config.update({{"layer_types", {"linear_attention", "full_attention", "linear_attention"}},
                 {"mlp_layer_types", {"dense", "sparse", "sparse"}},
                 {"linear_num_heads", 2},
                 {"linear_head_dim", 32},
                 {"linear_conv_kernel_dim", 4},
                 {"n_group", 3},
                 {"num_experts_per_tok", 2},
                 {"num_local_experts", 6},
                 {"n_shared_experts", 1},
                 {"norm_topk_prob", true},
                 {"max_position_embeddings", 1048576}});
  const ModelInfo older = info_of(tiny_kimi()), newer = info_of(config);
  EXPECT_EQ(layer_pattern(newer), "KAK");
  require_same_model("older", older, "newer", newer);
  EXPECT_EQ(newer.max_positions, older.max_positions);
}

TEST(KimiLinear, FieldsAreHonouredOrRefused) {
  EXPECT_EQ(refusal(json::object()), "accepted");
  const std::vector<std::pair<json, const char*>> cases = {
      {{{"q_lora_rank", 16}}, "q_lora_rank"},
      {{{"num_key_value_heads", 1}}, "num_key_value_heads"},
      {{{"mla_use_nope", false}}, "mla_use_nope"},
      {{{"moe_router_activation_func", "softmax"}}, "moe_router_activation_func"},
      {{{"moe_layer_freq", 2}}, "moe_layer_freq"},
      {{{"use_grouped_topk", false}}, "use_grouped_topk"},
      {{{"hidden_act", "gelu"}}, "hidden_act"},
      {{{"num_nextn_predict_layers", 1}}, "num_nextn_predict_layers"},
      {{{"n_group", 2}}, "n_group: it contradicts num_expert_group"},
      {{{"num_experts", 7}}, "num_expert_group: 3 does not divide the 7 experts"},
      {{{"num_experts_per_token", 5}}, "num_experts_per_token: a token can choose among 4"},
      {{{"layer_types", {"linear_attention", "linear_attention", "full_attention"}}},
       "layer_types: it contradicts linear_attn_config"},
      {{{"layer_types", {"mamba", "mamba", "mamba"}}}, "mamba"},
      {{{"linear_head_dim", 16}}, "linear_head_dim: it contradicts head_dim"},
      {{{"mlp_layer_types", {"dense", "sparse"}}}, "mlp_layer_types: 2 entries"},
      {{{"mlp_layer_types", {"dense", "dense", "sparse"}}, {"first_k_dense_replace", 1}},
       "first_k_dense_replace"},
      {{{"kv_lora_ranks", 16}}, "kv_lora_ranks"}};
  for (const auto& [changes, expected] : cases)
    EXPECT_THAT(refusal(changes), HasSubstr(expected)) << changes;
}

TEST(KimiLinear, NumberedLayersAreEachThereOnce) {
  const auto with = [](const json& full, const json& delta) {
    json linear = tiny_kimi()["linear_attn_config"];
    linear.update({{"full_attn_layers", full}, {"kda_layers", delta}});
    return refusal({{"linear_attn_config", linear}});
  };
  EXPECT_EQ(with({3, 1}, json::array({2})), "accepted");
  EXPECT_THAT(with({2, 3}, {1, 3}), HasSubstr("layer 3 is listed twice"));
  EXPECT_THAT(with(json::array({2}), json::array({1})), HasSubstr("2 layers are listed"));
  EXPECT_THAT(with(json::array({0}), {1, 3}), HasSubstr("layers from 1 to 3"));
  EXPECT_THAT(with(nullptr, {1, 2, 3}), HasSubstr("full_attn_layers: a list"));
  json linear = tiny_kimi()["linear_attn_config"];
  linear["gate"] = 1;
  EXPECT_THAT(refusal({{"linear_attn_config", linear}}), HasSubstr("linear_attn_config: gate"));
}

// Keys are rows of kv_b_proj and, for the part that all heads share, of kv_a_proj_with_mqa.
TEST(KimiLinear, KeysAreRowsOfTwoTensors) {
  const MixerInfo mixer = info_of(tiny_kimi()).mixers[1];
  const auto keys = mixer.of(Part::kKey);
  ASSERT_EQ(keys.size(), 3U);  // kv_a_proj_with_mqa has a bias
  EXPECT_EQ(keys[0].rows.tensor, "model.layers.1.self_attn.kv_b_proj.weight");
  EXPECT_EQ(std::tie(keys[0].rows.first, keys[0].rows.rows, keys[0].rows.stride,
                     keys[0].rows.repetitions),
            std::tuple(0, 16, 32, 2));
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_THAT(keys[i].rows.tensor, HasSubstr("kv_a_proj_with_mqa"));
    EXPECT_EQ(keys[i].rows.first, 32);
    EXPECT_EQ(keys[i].rows.count(), 16);
  }
  EXPECT_TRUE(keys[2].is_bias);
  EXPECT_EQ(mixer.of(Part::kQuery).size(), 1U);
  EXPECT_EQ(mixer.of(Part::kQuery)[0].rows.count(), 2 * 32);
  EXPECT_EQ(mixer.cost.kv_values, 32 + 16);
  EXPECT_EQ(mixer.cost.query_values, 2 * 32);
}

TEST(KimiLinear, CanBeRestoredByCopiesAlone) {
  const ModelInfo info = info_of(tiny_kimi());
  RestoreOptions options;
  EXPECT_EQ(choose_layers(info, options), std::vector<std::int64_t>{1});
  for (const RestoreMethod method : {RestoreMethod::kQkPro, RestoreMethod::kQkProExact}) {
    options.method = method;
    try {
      choose_layers(info, options);
      FAIL();
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), HasSubstr(restore_method_name(method)));
      EXPECT_THAT(error.what(), HasSubstr("layer 1"));
    }
  }
}

// Released checkpoints name the first layers' MLP differently from transformers.
TEST(KimiLinear, FindsItsMlpUnderEitherName) {
  const WeightMap weights = tiny_weights(tiny_kimi(), 5);
  WeightMap renamed;
  for (const auto& [name, tensor] : weights) {
    const std::size_t at = name.find(".mlp.");
    renamed[at == name.npos ? name
                            : name.substr(0, at) + ".block_sparse_moe." + name.substr(at + 5)] =
        tensor;
  }
  ASSERT_FALSE(renamed.contains("model.layers.0.mlp.up_proj.weight"));
  torch::manual_seed(1);
  const at::Tensor ids = torch::randint(97, {1, 20}, at::kLong);
  const auto logits = [&](const WeightMap& own) {
    const auto model = build_model(tiny_kimi(), "names", own);
    State state(model->num_layers());
    return model->forward(ids, state, Logits::kAll);
  };
  EXPECT_TRUE(at::equal(logits(renamed), logits(weights)));
}

}  // namespace
}  // namespace niah::models
