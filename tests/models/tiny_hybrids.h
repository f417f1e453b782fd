// Small models with random weights of the families with recurrent mixers, short convolutions and
// experts, for properties that hold for any weights.
#pragma once

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "models/registry.h"
#include "models/training/trainer.h"

namespace niah::models {

inline nlohmann::json tiny_qwen(const std::string& type) {
  return {{"model_type", type},
          {"vocab_size", 97},
          {"hidden_size", 64},
          {"intermediate_size", 96},
          {"num_hidden_layers", 4},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"head_dim", 64},
          {"rope_parameters", {{"rope_type", "default"}, {"partial_rotary_factor", 0.5}}},
          {"full_attention_interval", 2},
          {"linear_num_key_heads", 2},
          {"linear_num_value_heads", 4},
          {"linear_key_head_dim", 32},
          {"linear_value_head_dim", 16}};
}

/// Its latent is wide enough for both ways of computing attention to be used.
inline nlohmann::json tiny_kimi() {
  return {{"model_type", "kimi_linear"},
          {"vocab_size", 97},
          {"hidden_size", 64},
          {"intermediate_size", 96},
          {"num_hidden_layers", 3},
          {"num_attention_heads", 2},
          {"linear_attn_config",
           {{"full_attn_layers", nlohmann::json::array({2})},
            {"kda_layers", {1, 3}},
            {"num_heads", 2},
            {"head_dim", 32}}},
          {"kv_lora_rank", 32},
          {"qk_nope_head_dim", 16},
          {"qk_rope_head_dim", 16},
          {"v_head_dim", 16},
          {"attention_bias", true},
          {"num_experts", 6},
          {"num_expert_group", 3},
          {"topk_group", 2},
          {"num_experts_per_token", 2},
          {"moe_intermediate_size", 32}};
}

/// Adds configs of the families with Mamba-2 mixers and of MiniMax.
inline void add_mamba2_families(std::vector<std::pair<std::string, nlohmann::json>>& all) {
  const auto config = [](const char* type, const nlohmann::json& own) {
    nlohmann::json fields = {{"model_type", type},       {"vocab_size", 97},
                             {"hidden_size", 64},        {"intermediate_size", 96},
                             {"num_attention_heads", 2}, {"num_key_value_heads", 1}};
    fields.update(own);
    return fields;
  };
  const nlohmann::json mixers = {{"mamba_expand", 1},
                                 {"mamba_n_heads", 4},
                                 {"mamba_d_head", 16},
                                 {"mamba_n_groups", 2},
                                 {"mamba_d_state", 16}};
  nlohmann::json falcon = config("falcon_h1", mixers);
  falcon.update({{"num_hidden_layers", 2},
                 {"mamba_d_ssm", nullptr},
                 {"key_multiplier", 0.7},
                 {"ssm_multipliers", {0.8, 1.3, 0.7, 1.2, 0.9}},
                 {"mlp_multipliers", {1.4, 0.75}},
                 {"ssm_in_multiplier", 0.9}});
  all.emplace_back("falcon_h1", falcon);
  falcon.update({{"mamba_rms_norm", true}, {"mamba_proj_bias", true}, {"attention_bias", true}});
  all.emplace_back("falcon_h1_norm", falcon);
  all.emplace_back("nemotron_h",
                   config("nemotron_h", {{"hybrid_override_pattern", "M*-EM"},
                                         {"head_dim", 32},
                                         {"mamba_num_heads", 4},
                                         {"mamba_head_dim", 16},
                                         {"n_groups", 2},
                                         {"ssm_state_size", 16},
                                         {"n_routed_experts", 6},
                                         {"n_group", 3},
                                         {"topk_group", 2},
                                         {"moe_latent_size", 32},
                                         {"moe_intermediate_size", 32},
                                         {"moe_shared_expert_intermediate_size", 48}}));
  nlohmann::json granite = config("granitemoehybrid", mixers);
  granite.update({{"num_hidden_layers", 3},
                  {"layer_types", {"mamba", "attention", "mamba"}},
                  {"intermediate_size", 32},
                  {"num_local_experts", 4},
                  {"shared_intermediate_size", 48},
                  {"residual_multiplier", 0.7},
                  {"attention_multiplier", 0.2},
                  {"logits_scaling", 0.5}});
  all.emplace_back("granite4", granite);
  nlohmann::json bamba = config("bamba", mixers);
  bamba.update({{"num_hidden_layers", 3},
                {"attn_layer_indices", nlohmann::json::array({1})},
                {"mlp_bias", true}});
  all.emplace_back("bamba", bamba);
  all.emplace_back("minimax", config("minimax", {{"num_hidden_layers", 3},
                                                 {"intermediate_size", 32},
                                                 {"num_local_experts", 3},
                                                 {"linear_attn_beta_factor", 0.7},
                                                 {"mlp_alpha_factor", 1.2}}));
}

/// Configs, each named after what is special about it.
inline std::vector<std::pair<std::string, nlohmann::json>> tiny_hybrids() {
  std::vector<std::pair<std::string, nlohmann::json>> all;
  all.emplace_back("qwen3_5", tiny_qwen("qwen3_5_text"));
  nlohmann::json text = tiny_qwen("qwen3_5_text");
  text["attention_bias"] = true;
  all.emplace_back("qwen3_5_wrapper",
                   nlohmann::json{{"model_type", "qwen3_5"}, {"text_config", text}});
  nlohmann::json experts = {{"num_experts", 6},
                            {"num_experts_per_tok", 2},
                            {"moe_intermediate_size", 32},
                            {"shared_expert_intermediate_size", 32}};
  nlohmann::json moe = tiny_qwen("qwen3_5_moe_text");
  moe.update(experts);
  all.emplace_back("qwen3_5_moe", moe);
  nlohmann::json next = tiny_qwen("qwen3_next");
  next.update(experts);
  next["mlp_only_layers"] = nlohmann::json::array({1});
  all.emplace_back("qwen3_next", next);
  nlohmann::json olmo = {{"model_type", "olmo_hybrid"}, {"vocab_size", 97},
                         {"hidden_size", 64},           {"intermediate_size", 96},
                         {"num_hidden_layers", 4},      {"num_attention_heads", 2},
                         {"linear_key_head_dim", 16},   {"linear_value_head_dim", 32},
                         {"rope_theta", nullptr}};
  all.emplace_back("olmo_hybrid", olmo);
  olmo["rope_theta"] = 10000.0;
  olmo["attention_bias"] = true;
  all.emplace_back("olmo_hybrid_rotated", olmo);
  nlohmann::json lfm = {{"model_type", "lfm2"},     {"vocab_size", 97},
                        {"hidden_size", 64},        {"intermediate_size", 96},
                        {"block_multiple_of", 16},  {"conv_bias", true},
                        {"num_hidden_layers", 4},   {"num_attention_heads", 2},
                        {"num_key_value_heads", 1}, {"full_attn_idxs", nlohmann::json::array({1})}};
  all.emplace_back("lfm2", lfm);
  lfm["model_type"] = "lfm2_moe";
  lfm["conv_bias"] = false;
  lfm.erase("block_multiple_of");
  lfm.update({{"num_experts", 6},
              {"num_experts_per_tok", 2},
              {"moe_intermediate_size", 32},
              {"num_dense_layers", 1}});
  all.emplace_back("lfm2_moe", lfm);
  all.emplace_back("kimi_linear", tiny_kimi());
  add_mamba2_families(all);
  return all;
}

/// The ModelInfo of this config with some fields changed; needs no weights.
inline ModelInfo info_of(nlohmann::json config,
                         const nlohmann::json& changes = nlohmann::json::object()) {
  config.update(changes);
  ShapeSource shapes;
  return make_model(config, "config.json", shapes)->info();
}

/// Random weights for a config, including norms.
inline WeightMap tiny_weights(const nlohmann::json& config, std::uint64_t seed) {
  RandomSource source(seed, 4);
  torch::manual_seed(seed);
  WeightMap weights = parameters_of(*make_model(config, "tiny", source));
  for (auto& [name, tensor] : weights) {
    tensor = tensor.detach();
    if (tensor.dim() == 1) tensor = tensor + 0.2 * at::randn_like(tensor);
  }
  return weights;
}

inline std::shared_ptr<CausalLM> tiny_model(const nlohmann::json& config,
                                            at::ScalarType dtype = at::kFloat) {
  WeightMap weights = tiny_weights(config, 5);
  for (auto& [name, tensor] : weights) tensor = tensor.to(dtype);
  return build_model(config, "tiny", weights);
}

}  // namespace niah::models
