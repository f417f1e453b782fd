// Released configs as given by model cards, transformers and public copies of the files. Fields
// that affect neither shapes nor costs and were not found there are left out: Falcon-H1's and some
// of Granite's multipliers. Parameter counts are exact: they are the sums over the headers of the
// released files, for Qwen3.5 without the vision tower and the draft layer (456,010,480 and
// 243,290,624 of the 9B's 9,653,104,368 parameters). They and the tensor counts were also computed
// from the models' equations, independently of this program.
#include "tests/models/arch/released.h"

#include <algorithm>

namespace niah::models {
namespace {

using nlohmann::json;

/// `count` layers in groups of four, the last of which is `last`.
std::string every_fourth(std::int64_t count, char usual, char last) {
  std::string letters;
  for (std::int64_t i = 0; i < count; ++i) letters += (i + 1) % 4 == 0 ? last : usual;
  return letters;
}

/// Fields that Qwen3-Next and the text models of Qwen3.5 have in common.
json gated_delta(std::int64_t layers, std::int64_t d, std::int64_t heads, std::int64_t kv_heads,
                 std::int64_t value_heads) {
  return {{"hidden_size", d},
          {"num_hidden_layers", layers},
          {"full_attention_interval", 4},
          {"num_attention_heads", heads},
          {"num_key_value_heads", kv_heads},
          {"head_dim", 256},
          {"linear_num_key_heads", 16},
          {"linear_num_value_heads", value_heads},
          {"linear_key_head_dim", 128},
          {"linear_value_head_dim", 128},
          {"linear_conv_kernel_dim", 4},
          {"attention_bias", false},
          {"hidden_act", "silu"},
          {"rms_norm_eps", 1e-6},
          {"max_position_embeddings", 262144}};
}

/// A config of Qwen3.5, which nests the text model in that of the vision-language model.
json qwen3_5(const std::string& type, json text, bool tied) {
  text["model_type"] = type + "_text";
  text["vocab_size"] = 248320;
  text["tie_word_embeddings"] = tied;
  text["attn_output_gate"] = true;
  text["mamba_ssm_dtype"] = "float32";
  text["mtp_num_hidden_layers"] = 1;
  text["mtp_use_dedicated_embeddings"] = false;
  text["eos_token_id"] = 248044;
  text["rope_parameters"] = {{"rope_type", "default"},
                             {"rope_theta", 10000000},
                             {"partial_rotary_factor", 0.25},
                             {"mrope_interleaved", true},
                             {"mrope_section", {11, 11, 10}}};
  return {{"model_type", type},
          {"tie_word_embeddings", tied},
          {"image_token_id", 248056},
          {"video_token_id", 248057},
          {"vision_start_token_id", 248053},
          {"vision_end_token_id", 248054},
          {"vision_config", {{"depth", 27}, {"hidden_size", 1152}}},
          {"text_config", std::move(text)}};
}

json dense_qwen3_5(json text, std::int64_t ff, bool tied) {
  text["intermediate_size"] = ff;
  return qwen3_5("qwen3_5", std::move(text), tied);
}

json with_experts(json text, std::int64_t experts, std::int64_t chosen) {
  text["num_experts"] = experts;
  text["num_experts_per_tok"] = chosen;
  text["moe_intermediate_size"] = 512;
  text["shared_expert_intermediate_size"] = 512;
  return text;
}

json qwen3_next() {
  json config = with_experts(gated_delta(48, 2048, 16, 2, 32), 512, 10);
  config["model_type"] = "qwen3_next";
  config["vocab_size"] = 151936;
  config["norm_topk_prob"] = true;
  config["decoder_sparse_step"] = 1;
  config["mlp_only_layers"] = json::array();
  config["tie_word_embeddings"] = false;
  config["partial_rotary_factor"] = 0.25;
  config["rope_theta"] = 10000000;
  return config;
}

std::vector<Released> qwen_models() {
  return {
      {"Qwen3.5-0.8B",
       dense_qwen3_5(gated_delta(24, 1024, 8, 2, 16), 3584, true),
       752393024,
       320,
       every_fourth(24, 'L', 'A'),
       {{"model.language_model.layers.3.self_attn.q_proj.weight", {4096, 1024}},
        {"model.language_model.layers.3.self_attn.o_proj.weight", {1024, 2048}},
        {"model.language_model.layers.0.linear_attn.in_proj_qkv.weight", {6144, 1024}},
        {"model.language_model.layers.0.linear_attn.in_proj_z.weight", {2048, 1024}}}},
      {"Qwen3.5-4B",
       dense_qwen3_5(gated_delta(32, 2560, 16, 4, 32), 9216, true),
       4205751296,
       426,
       every_fourth(32, 'L', 'A'),
       {{"model.language_model.layers.31.self_attn.k_proj.weight", {1024, 2560}},
        {"model.language_model.layers.30.linear_attn.conv1d.weight", {8192, 1, 4}}}},
      {"Qwen3.5-9B",
       dense_qwen3_5(gated_delta(32, 4096, 16, 4, 32), 12288, false),
       8953803264,
       427,
       every_fourth(32, 'L', 'A'),
       {{"lm_head.weight", {248320, 4096}},
        {"model.language_model.layers.3.self_attn.q_proj.weight", {8192, 4096}}},
       /*is_tied=*/false},
      {"Qwen3.5-27B",
       dense_qwen3_5(gated_delta(64, 5120, 24, 4, 48), 17408, false),
       26895998464,
       851,
       every_fourth(64, 'L', 'A'),
       {{"model.language_model.layers.63.self_attn.q_proj.weight", {12288, 5120}},
        {"model.language_model.layers.0.linear_attn.in_proj_qkv.weight", {10240, 5120}},
        {"model.language_model.layers.0.linear_attn.A_log", {48}}},
       /*is_tied=*/false},
      {"Qwen3.5-35B-A3B",
       qwen3_5("qwen3_5_moe", with_experts(gated_delta(40, 2048, 16, 2, 32), 256, 8), false),
       34660610688,
       693,
       every_fourth(40, 'L', 'A'),
       {{"model.language_model.layers.0.mlp.experts.gate_up_proj", {256, 1024, 2048}},
        {"model.language_model.layers.0.mlp.experts.down_proj", {256, 2048, 512}},
        {"model.language_model.layers.0.mlp.shared_expert_gate.weight", {1, 2048}}},
       /*is_tied=*/false},
      {"Qwen3-Next-80B-A3B",
       qwen3_next(),
       79674391296,
       74391,
       every_fourth(48, 'L', 'A'),
       {{"model.layers.0.linear_attn.in_proj_qkvz.weight", {12288, 2048}},
        {"model.layers.0.linear_attn.in_proj_ba.weight", {64, 2048}},
        {"model.layers.47.mlp.experts.511.down_proj.weight", {2048, 512}}},
       /*is_tied=*/false},
  };
}

Released olmo_hybrid() {
  return {"Olmo-Hybrid-7B",
          // Widths and heads of the linear layers have their defaults, as in transformers.
          {{"model_type", "olmo_hybrid"},
           {"vocab_size", 100352},
           {"hidden_size", 3840},
           {"intermediate_size", 11008},
           {"num_hidden_layers", 32},
           {"num_attention_heads", 30},
           {"rms_norm_eps", 1e-6},
           {"max_position_embeddings", 65536},
           {"eos_token_id", 100257},
           {"tie_word_embeddings", false},
           {"linear_allow_neg_eigval", true},
           {"rope_parameters", {{"rope_theta", nullptr}}}},
          7430870688,
          523,
          every_fourth(32, 'L', 'A'),
          {{"model.layers.0.linear_attn.q_proj.weight", {2880, 3840}},
           {"model.layers.0.linear_attn.v_conv1d.weight", {5760, 1, 4}},
           {"model.layers.3.self_attn.q_norm.weight", {3840}}},
          /*is_tied=*/false};
}

Released nemotron_nano() {
  const std::string letters = "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-";
  std::string shown = letters;
  std::replace(shown.begin(), shown.end(), '*', 'A');
  return {"Nemotron-Nano-9B-v2",
          {{"model_type", "nemotron_h"},
           {"vocab_size", 131072},
           {"hidden_size", 4480},
           {"intermediate_size", 15680},
           {"num_hidden_layers", 56},
           {"hybrid_override_pattern", letters},
           {"num_attention_heads", 40},
           {"num_key_value_heads", 8},
           {"head_dim", 128},
           {"mamba_num_heads", 128},
           {"mamba_head_dim", 80},
           {"n_groups", 8},
           {"ssm_state_size", 128},
           {"conv_kernel", 4},
           {"use_conv_bias", true},
           {"mlp_bias", false},
           {"mlp_hidden_act", "relu2"},
           {"layer_norm_epsilon", 1e-5},
           {"max_position_embeddings", 131072},
           {"tie_word_embeddings", false}},
          8888227328,
          341,
          shown,
          {{"backbone.layers.0.mixer.in_proj.weight", {22656, 4480}},
           {"backbone.layers.0.mixer.conv1d.weight", {12288, 1, 4}},
           {"backbone.layers.1.mixer.up_proj.weight", {15680, 4480}},
           {"backbone.layers.14.mixer.o_proj.weight", {4480, 5120}}},
          /*is_tied=*/false};
}

Released falcon_h1() {
  return {"Falcon-H1-7B",
          {{"model_type", "falcon_h1"},
           {"vocab_size", 130048},
           {"hidden_size", 3072},
           {"intermediate_size", 12288},
           {"num_hidden_layers", 44},
           {"attn_layer_indices", nullptr},
           {"num_attention_heads", 12},
           {"num_key_value_heads", 2},
           {"head_dim", 128},
           {"mamba_d_ssm", 3072},
           {"mamba_n_heads", 24},
           {"mamba_d_head", 128},
           {"mamba_n_groups", 1},
           {"mamba_d_state", 256},
           {"mamba_d_conv", 4},
           {"mamba_expand", 2},
           {"mamba_rms_norm", true},
           {"mamba_norm_before_gate", false},
           {"max_position_embeddings", 262144},
           {"rope_theta", 1e11},
           {"tie_word_embeddings", false}},
          7585648736,
          751,
          std::string(44, 'P'),
          {{"model.layers.0.mamba.in_proj.weight", {6680, 3072}},
           {"model.layers.0.mamba.norm.weight", {3072}},
           {"model.layers.43.self_attn.q_proj.weight", {1536, 3072}}},
          /*is_tied=*/false};
}

Released granite_4() {
  std::string letters(40, 'M');
  const std::set<std::int64_t> softmax = {5, 15, 25, 35};
  for (const std::int64_t layer : softmax) letters[static_cast<std::size_t>(layer)] = 'A';
  return {"Granite-4.0-H-Tiny",
          {{"model_type", "granitemoehybrid"},
           {"vocab_size", 100352},
           {"hidden_size", 1536},
           {"intermediate_size", 512},
           {"shared_intermediate_size", 1024},
           {"num_hidden_layers", 40},
           {"layer_types", pattern(40, "mamba", {{"attention", softmax}})},
           {"num_attention_heads", 12},
           {"num_key_value_heads", 4},
           {"num_local_experts", 64},
           {"num_experts_per_tok", 6},
           {"mamba_n_heads", 48},
           {"mamba_d_head", 64},
           {"mamba_n_groups", 1},
           {"mamba_d_state", 128},
           {"mamba_d_conv", 4},
           {"mamba_expand", 2},
           {"mamba_conv_bias", true},
           {"mamba_proj_bias", false},
           {"embedding_multiplier", 12},
           {"logits_scaling", 6},
           {"rms_norm_eps", 1e-5},
           {"position_embedding_type", "nope"},
           {"max_position_embeddings", 131072},
           {"tie_word_embeddings", true}},
          6939037248,
          586,
          letters,
          {{"model.layers.0.mamba.in_proj.weight", {6448, 1536}},
           {"model.layers.5.self_attn.k_proj.weight", {512, 1536}},
           {"model.layers.0.block_sparse_moe.input_linear.weight", {64, 1024, 1536}},
           {"model.layers.39.shared_mlp.input_linear.weight", {2048, 1536}}}};
}

Released lfm2() {
  return {"LFM2-1.2B",
          {{"model_type", "lfm2"},
           {"vocab_size", 65536},
           {"hidden_size", 2048},
           {"block_dim", 2048},
           {"block_ff_dim", 12288},
           {"block_auto_adjust_ff_dim", true},
           {"block_multiple_of", 256},
           {"block_norm_eps", 1e-5},
           {"block_use_swiglu", true},
           {"num_hidden_layers", 16},
           {"full_attn_idxs", {2, 5, 8, 10, 12, 14}},
           {"num_attention_heads", 32},
           {"num_heads", 32},
           {"num_key_value_heads", 8},
           {"conv_L_cache", 3},
           {"conv_bias", false},
           {"conv_dim", 2048},
           {"norm_eps", 1e-5},
           {"rope_theta", 1e6},
           {"max_position_embeddings", 128000}},
          1170340608,
          148,
          "ccAccAccAcAcAcAc",
          {{"model.layers.0.conv.in_proj.weight", {6144, 2048}},
           {"model.layers.0.feed_forward.w1.weight", {8192, 2048}},
           {"model.layers.2.self_attn.q_layernorm.weight", {64}}}};
}

Released llama_3() {
  return {"Llama-3.2-1B",
          {{"model_type", "llama"},
           {"vocab_size", 128256},
           {"hidden_size", 2048},
           {"intermediate_size", 8192},
           {"num_hidden_layers", 16},
           {"num_attention_heads", 32},
           {"num_key_value_heads", 8},
           {"head_dim", 64},
           {"rms_norm_eps", 1e-5},
           {"rope_theta", 500000.0},
           {"rope_scaling",
            {{"rope_type", "llama3"},
             {"factor", 32.0},
             {"low_freq_factor", 1.0},
             {"high_freq_factor", 4.0},
             {"original_max_position_embeddings", 8192}}},
           {"max_position_embeddings", 131072},
           {"tie_word_embeddings", true}},
          1235814400,
          146,
          std::string(16, 'A'),
          {{"model.layers.15.self_attn.k_proj.weight", {512, 2048}}}};
}

Released smollm3() {
  return {"SmolLM3-3B",
          {{"model_type", "smollm3"},
           {"vocab_size", 128256},
           {"hidden_size", 2048},
           {"intermediate_size", 11008},
           {"num_hidden_layers", 36},
           {"no_rope_layer_interval", 4},
           {"num_attention_heads", 16},
           {"num_key_value_heads", 4},
           {"attention_bias", false},
           {"mlp_bias", false},
           {"rms_norm_eps", 1e-6},
           {"rope_theta", 5000000.0},
           {"sliding_window", nullptr},
           {"use_sliding_window", false},
           {"max_position_embeddings", 65536},
           {"tie_word_embeddings", true}},
          3075098624,
          326,
          std::string(36, 'A'),
          {{"model.layers.3.self_attn.q_proj.weight", {2048, 2048}},
           {"model.layers.35.mlp.down_proj.weight", {2048, 11008}}}};
}

}  // namespace

std::vector<Released> released_families() {
  std::vector<Released> all = qwen_models();
  for (const auto& one : {olmo_hybrid, nemotron_nano, falcon_h1, granite_4, lfm2, llama_3, smollm3})
    all.push_back(one());
  return all;
}

}  // namespace niah::models
