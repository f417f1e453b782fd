// The model in the order of the forward pass: config, softmax mixer, model (the Gated DeltaNet is
// in gated_delta_mixer.h, the mixture of experts in feed_forward.h, the blocks in blocks.h).
// Letters: B batch, T tokens of this pass, R wanted rows, d hidden size, H/H_kv heads of D.
// Equations: Qwen3-Next and Qwen3.5 in transformers; Gated DeltaNet, arXiv 2412.06464. The
// differences: Qwen3-Next fuses the projections of a delta mixer by key head and may have experts
// in some layers only; Qwen3.5 has experts in all layers or in none.
#include "models/arch/qwen3_5.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "models/arch/blocks.h"
#include "models/arch/gated_delta_mixer.h"
#include "models/arch/rope.h"
#include "models/ops/gate.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

enum class Family { kDense, kMoe, kNext };
using LayerKind = DeltaHybridLayer;

struct QwenConfig {
  Family family;
  std::int64_t vocab, d, ff, heads, kv_heads, head_dim;
  std::vector<LayerKind> layers;
  DeltaNetShape delta;
  bool bias, tied;
  bool is_nested = false;  ///< whether the config was in text_config, next to a vision tower
  double eps;
  Rope rope;
  std::vector<bool> mixes;  ///< by layer: true for a mixture of experts, false for an MLP
  SharedExpertShape mixture;
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

const char* name_of(Family family) {
  switch (family) {
    case Family::kDense:
      return "qwen3_5";
    case Family::kMoe:
      return "qwen3_5_moe";
    case Family::kNext:
      return "qwen3_next";
  }
  return "";
}

std::vector<LayerKind> read_layers(ConfigReader& reader, Family family) {
  const std::int64_t count = reader.count("num_hidden_layers", family == Family::kDense ? 32
                                                               : family == Family::kMoe ? 40
                                                                                        : 48);
  const std::int64_t interval = reader.count("full_attention_interval", 4);
  return read_delta_hybrid_layers(reader, count, interval);
}

DeltaNetShape read_delta_net(ConfigReader& reader) {
  DeltaNetShape delta;
  delta.key_heads = reader.count("linear_num_key_heads", 16);
  delta.value_heads = reader.count("linear_num_value_heads", 32);
  delta.key_dim = reader.count("linear_key_head_dim", 128);
  delta.value_dim = reader.count("linear_value_head_dim", 128);
  delta.taps = reader.count("linear_conv_kernel_dim", 4);
  check_heads(reader, "linear_num_key_heads", delta.value_heads, delta.key_heads);
  return delta;
}

/// The layers listed in mlp_only_layers.
std::set<std::int64_t> read_mlp_only(ConfigReader& reader) {
  constexpr const char* kField = "mlp_only_layers";
  const nlohmann::json& value = reader.raw(kField);
  std::set<std::int64_t> layers;
  if (value.is_null()) return layers;
  if (!value.is_array()) reader.refuse(kField, "a list of layers was expected");
  for (const nlohmann::json& layer : value) {
    if (!layer.is_number_integer()) reader.refuse(kField, "a list of layers was expected");
    layers.insert(layer.get<std::int64_t>());
  }
  return layers;
}

void read_experts(ConfigReader& reader, QwenConfig& c) {
  const bool is_next = c.family == Family::kNext;
  c.mixes.assign(c.layers.size(), c.family != Family::kDense);
  if (c.family == Family::kDense) {
    reader.must_be("mlp_only_layers", nlohmann::json::array(), "no layer has experts");
    return;
  }
  SharedExpertShape& mixture = c.mixture;
  mixture.d = c.d;
  mixture.is_fused = c.family == Family::kMoe;
  mixture.experts = reader.integer("num_experts", is_next ? 512 : 256, 0, ConfigReader::kMaxCount);
  mixture.chosen = reader.count("num_experts_per_tok", is_next ? 10 : 8);
  mixture.ff = reader.positive("moe_intermediate_size", 512);
  mixture.shared_ff = reader.positive("shared_expert_intermediate_size", 512);
  if (is_next) {
    mixture.normalises = reader.boolean("norm_topk_prob", true);
    const std::int64_t step = reader.count("decoder_sparse_step", 1);
    const std::set<std::int64_t> plain = read_mlp_only(reader);
    for (std::size_t i = 0; i < c.mixes.size(); ++i) {
      const auto layer = static_cast<std::int64_t>(i);
      c.mixes[i] = mixture.experts > 0 && !plain.contains(layer) && (layer + 1) % step == 0;
    }
  } else {
    reader.must_be("norm_topk_prob", true, "the weights of a token's experts sum to 1");
    reader.must_be("mlp_only_layers", nlohmann::json::array(), "every layer has experts");
    if (mixture.experts == 0)
      reader.refuse("num_experts", "a positive integer was expected, found 0");
  }
  if (mixture.experts > 0 && mixture.chosen > mixture.experts)
    reader.refuse("num_experts_per_tok",
                  fmt::format("{} of num_experts = {}", mixture.chosen, mixture.experts));
  reader.without_effect({"router_aux_loss_coef", "output_router_logits"});
}

/// Reads the fields of the text model: all fields of a flat config, or those of text_config.
QwenConfig read_text_config(ConfigReader& reader, const std::string& label,
                            const nlohmann::json& json, Family family) {
  const bool is_next = family == Family::kNext;
  QwenConfig c;
  c.family = family;
  c.vocab = reader.positive("vocab_size", is_next ? 151936 : 248320);
  c.d = reader.positive("hidden_size", family == Family::kDense ? 4096 : 2048);
  // Unused if all layers are mixtures of experts.
  c.ff = reader.positive("intermediate_size", is_next ? 5632 : 12288);
  c.layers = read_layers(reader, family);
  c.heads = reader.count("num_attention_heads", 16);
  const std::int64_t kv_heads = family == Family::kDense ? 4 : 2;
  c.kv_heads =
      reader.count("num_key_value_heads", reader.has("num_key_value_heads") ? c.heads : kv_heads);
  c.head_dim = reader.count("head_dim", reader.has("head_dim") ? c.d / c.heads : 256);
  c.delta = read_delta_net(reader);
  read_experts(reader, c);
  c.eps = reader.number("rms_norm_eps", 1e-6, 0, 1);
  c.bias = reader.boolean("attention_bias", false);
  c.tied = reader.boolean("tie_word_embeddings", false);
  c.max_positions = reader.positions("max_position_embeddings", 32768);
  c.rope = read_rope(reader, label,
                     {.head_dim = c.head_dim,
                      .max_positions = c.max_positions,
                      .partial = 0.25,
                      .may_be_partial = true,
                      .has_mrope = true});
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("hidden_act", "silu", "the MLP is SwiGLU");
  reader.must_be("use_sliding_window", false, "attention sees everything");
  reader.must_be("attn_output_gate", true, "softmax layers have an output gate");
  reader.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  ignore_bookkeeping(reader);
  reader.without_effect({"mamba_ssm_dtype"});
  for (const auto& [field, value] : json.items())
    if (field.starts_with("mtp_")) reader.without_effect({field.c_str()});  // of a draft model
  reader.finish();
  check_heads(reader, "num_key_value_heads", c.heads, c.kv_heads);
  return c;
}

/// Reads a config that is flat or has the text model's fields in text_config.
QwenConfig read_config(const nlohmann::json& json, const std::string& label, Family family) {
  ConfigReader outer(json, label);
  if (outer.is_null("text_config")) return read_text_config(outer, label, json, family);
  const nlohmann::json& text = outer.raw("text_config");
  const std::string text_label = label + ": text_config";
  ConfigReader inner(text, text_label);
  QwenConfig c = read_text_config(inner, text_label, text, family);
  c.is_nested = true;
  if (outer.boolean("tie_word_embeddings", c.tied) != c.tied)
    outer.refuse("tie_word_embeddings",
                 fmt::format("{}, but it is {} in text_config; make them equal", !c.tied, c.tied));
  // Checkpoint adds the end-of-text ids of generation_config.json at the outer level.
  for (const std::int64_t id : read_eos_ids(outer, c.vocab))
    if (std::find(c.eos_ids.begin(), c.eos_ids.end(), id) == c.eos_ids.end())
      c.eos_ids.push_back(id);
  outer.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  ignore_bookkeeping(outer);
  outer.without_effect({"language_model_only", "vision_config", "image_token_id", "video_token_id",
                        "vision_start_token_id", "vision_end_token_id"});
  outer.finish();
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const QwenConfig& c) {
  std::map<std::string, std::string> settings = {{"rms_norm_eps", fmt::to_string(c.eps)},
                                                 {"tie_word_embeddings", fmt::to_string(c.tied)}};
  const auto has = [&](LayerKind kind) {
    return std::find(c.layers.begin(), c.layers.end(), kind) != c.layers.end();
  };
  const auto mixing = std::count(c.mixes.begin(), c.mixes.end(), true);
  if (mixing < static_cast<std::int64_t>(c.mixes.size()))
    settings["intermediate_size"] = fmt::to_string(c.ff);
  if (has(LayerKind::kSoftmax)) {
    settings["num_attention_heads"] = fmt::to_string(c.heads);
    settings["num_key_value_heads"] = fmt::to_string(c.kv_heads);
    settings["head_dim"] = fmt::to_string(c.head_dim);
    settings["attention_bias"] = fmt::to_string(c.bias);
    settings["rope_theta"] = fmt::to_string(c.rope.theta);
    settings["rotated"] = fmt::to_string(c.rope.width);
    settings["rope scaling"] = c.rope.scaling();
  }
  if (has(LayerKind::kDelta)) add_settings(settings, c.delta);
  if (mixing > 0) {
    std::string which;
    for (const bool mixes : c.mixes) which += mixes ? 'E' : '-';
    settings["layers with experts"] = which;
    add_settings(settings, c.mixture);
  }
  return settings;
}

// ----------------------------------------------------------------------------------- softmax mixer

/// Attention with an output gate. The rows of q_proj are, for each head, its query, then its gate.
struct SoftmaxMixer : Mixer {
  SoftmaxMixer(const QwenConfig& config, TensorSource& source, const std::string& name)
      : Mixer(name), c(config) {
    q_proj = add_linear(source, "q_proj", c.d, 2 * c.heads * c.head_dim, c.bias);
    k_proj = add_linear(source, "k_proj", c.d, c.kv_heads * c.head_dim, c.bias);
    v_proj = add_linear(source, "v_proj", c.d, c.kv_heads * c.head_dim, c.bias);
    o_proj = add_linear(source, "o_proj", c.heads * c.head_dim, c.d, c.bias);
    q_norm = add_norm(source, "q_norm", c.head_dim, c.eps, NormRounding::kOnePlusWeight);
    k_norm = add_norm(source, "k_norm", c.head_dim, c.eps, NormRounding::kOnePlusWeight);
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const at::Tensor k =  // [B, H_kv, T, D]
        rotate((*k_norm)(split_heads((*k_proj)(x), c.head_dim)), pass);
    const at::Tensor v = split_heads((*v_proj)(x), c.head_dim);  // [B, H_kv, T, D]
    const auto seen = remember(states, {k, v});
    if (rows == 0) return x.narrow(1, 0, 0);

    const at::Tensor both =  // [B, R, H, 2, D]: query and gate of each head
        (*q_proj)(last_rows(x, rows)).unflatten(-1, {c.heads, 2, c.head_dim});
    const at::Tensor q =  // [B, H, R, D]
        rotate((*q_norm)(both.select(3, 0).contiguous().transpose(1, 2)), pass);
    const at::Tensor gate = both.select(3, 1).flatten(-2);  // [B, R, H*D]
    const double scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
    const at::Tensor o =
        merge_heads(attend(q, seen, {.scale = scale, .cached = !states.empty()}, pass));
    return (*o_proj)(sigmoid_product(o, gate));
  }

  MixerInfo describe() const override {
    MixerInfo info = softmax_info(c.heads, c.kv_heads, c.head_dim);
    claim_rows(info, Part::kQuery, "q_proj", {"", 0, c.head_dim, 2 * c.head_dim, c.heads});
    claim_rows(info, Part::kGate, "q_proj", {"", c.head_dim, c.head_dim, 2 * c.head_dim, c.heads});
    claim(info, {{Part::kKey, "k_proj"},
                 {Part::kValue, "v_proj"},
                 {Part::kOutput, "o_proj"},
                 {Part::kQueryNorm, "q_norm"},
                 {Part::kKeyNorm, "k_norm"}});
    return info;
  }

  QwenConfig c;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, o_proj;
  std::shared_ptr<RmsNorm> q_norm, k_norm;
};

// ------------------------------------------------------------------------------------------- model

DecoderShape shape_of(const QwenConfig& c, const TensorSource& source) {
  const bool is_outer = source.has("model.language_model.embed_tokens.weight") ||
                        (c.is_nested && !source.has("model.embed_tokens.weight"));
  return {.vocab = c.vocab,
          .d = c.d,
          .ff = c.ff,
          .eps = c.eps,
          .rounding = NormRounding::kOnePlusWeight,
          .tied = c.tied,
          .prefix = is_outer ? "model.language_model" : "model"};
}

std::shared_ptr<Mixer> make_mixer(const QwenConfig& c, LayerKind kind, TensorSource& source,
                                  const std::string& prefix) {
  if (kind == LayerKind::kSoftmax)
    return std::make_shared<SoftmaxMixer>(c, source, prefix + ".self_attn");
  const auto projections =
      c.family == Family::kNext ? DeltaProjections::kFused : DeltaProjections::kSplit;
  return make_gated_delta_mixer({c.delta, projections, c.d, c.eps}, source,
                                prefix + ".linear_attn");
}

std::shared_ptr<FeedForward> make_feed_forward(const QwenConfig& c, bool mixes,
                                               TensorSource& source, const std::string& name) {
  if (mixes) return std::make_shared<SharedExpertMixture>(c.mixture, source, name);
  return std::make_shared<GatedMlp>(source, name, c.d, c.ff);
}

MakeBlock blocks_of(const QwenConfig& c, TensorSource& source) {
  return [c, &source, shape = shape_of(c, source)](std::int64_t index, const std::string& prefix) {
    const LayerKind kind = c.layers[static_cast<std::size_t>(index)];
    const BlockNames names{.mixer = kind == LayerKind::kSoftmax ? "self_attn" : "linear_attn"};
    return std::make_shared<PreNormBlock>(
        shape, names, make_mixer(c, kind, source, prefix),
        make_feed_forward(c, c.mixes[static_cast<std::size_t>(index)], source, prefix + ".mlp"),
        source, prefix);
  };
}

class Qwen : public DecoderLM {
 public:
  Qwen(const QwenConfig& config, TensorSource& source)
      : DecoderLM(shape_of(config, source), static_cast<std::int64_t>(config.layers.size()), source,
                  blocks_of(config, source)) {
    rotary_.emplace(config.rope, device());
    source.ignore("model.visual.");
    source.ignore("mtp.");
    info_.architecture = name_of(config.family);
    info_.eos_ids = config.eos_ids;
    info_.max_positions = config.max_positions;
    info_.settings = settings_of(config);
    info_.scales_positions = config.rope.is_scaled();
    if (config.mixture.experts > 0)
      info_.expert_share =
          static_cast<double>(config.mixture.chosen) / static_cast<double>(config.mixture.experts);
  }
};

}  // namespace

std::shared_ptr<CausalLM> make_qwen3_5(const nlohmann::json& config, const std::string& label,
                                       TensorSource& source) {
  return std::make_shared<Qwen>(read_config(config, label, Family::kDense), source);
}

std::shared_ptr<CausalLM> make_qwen3_5_moe(const nlohmann::json& config, const std::string& label,
                                           TensorSource& source) {
  return std::make_shared<Qwen>(read_config(config, label, Family::kMoe), source);
}

std::shared_ptr<CausalLM> make_qwen3_next(const nlohmann::json& config, const std::string& label,
                                          TensorSource& source) {
  return std::make_shared<Qwen>(read_config(config, label, Family::kNext), source);
}

}  // namespace niah::models
