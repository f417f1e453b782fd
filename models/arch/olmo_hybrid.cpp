// The model in the order of the forward pass: config, softmax mixer, Gated DeltaNet, model (the
// blocks are in blocks.h: post-norm around softmax, pre-norm around DeltaNet). Letters: B batch, T
// tokens of this pass, R wanted rows, d hidden size, H/H_kv heads of D, Kh/Vh key and value heads
// of K and V. Equations: OLMo Hybrid in transformers; Gated DeltaNet, arXiv 2412.06464; negative
// eigenvalues, arXiv 2411.12537.
#include "models/arch/olmo_hybrid.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/arch/blocks.h"
#include "models/arch/delta_net.h"
#include "models/arch/rope.h"
#include "models/ops/gate.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

using LayerKind = DeltaHybridLayer;

struct OlmoConfig {
  std::int64_t vocab, d, ff, heads, kv_heads, head_dim;
  std::vector<LayerKind> layers;
  DeltaNetShape delta;
  bool bias, tied;
  double eps;
  std::optional<Rope> rope;  ///< nullopt: the softmax layers have no positions (NoPE)
  bool says_rope = true;     ///< whether the config mentions a rotary embedding, even as null
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

std::vector<LayerKind> read_layers(ConfigReader& reader) {
  const std::int64_t count = reader.count("num_hidden_layers", 32);
  // By default every fourth layer is softmax, and at least one.
  return read_delta_hybrid_layers(reader, count, std::min<std::int64_t>(4, count));
}

DeltaNetShape read_delta_net(ConfigReader& reader, std::int64_t d, std::int64_t heads) {
  DeltaNetShape delta;
  delta.key_heads = reader.count("linear_num_key_heads", heads);
  delta.value_heads = reader.count("linear_num_value_heads", heads);
  delta.key_dim = reader.count("linear_key_head_dim", 3 * d / (4 * delta.key_heads));
  delta.value_dim = reader.count("linear_value_head_dim", 2 * delta.key_dim);
  delta.taps = reader.count("linear_conv_kernel_dim", 4);
  delta.doubles_beta = reader.boolean("linear_allow_neg_eigval", true);
  check_heads(reader, "linear_num_key_heads", delta.value_heads, delta.key_heads);
  reader.without_effect({"linear_a_log_min", "linear_a_log_max", "linear_dt_min", "linear_dt_max",
                         "linear_dt_init_floor"});
  return delta;
}

/// Whether rope_theta is present and null; in `rope_parameters` if it is there, else outside.
bool rope_is_switched_off(const nlohmann::json& json) {
  const auto is_null_in = [](const nlohmann::json& fields) {
    return fields.is_object() && fields.contains("rope_theta") && fields["rope_theta"].is_null();
  };
  const auto inner = json.find("rope_parameters");
  const bool is_said = inner != json.end() && inner->is_object() && inner->contains("rope_theta");
  return is_said ? is_null_in(*inner) : is_null_in(json);
}

/// Whether the config mentions a rotary embedding at all.
bool says_rope(const nlohmann::json& json) {
  const auto inner = json.find("rope_parameters");
  return json.contains("rope_theta") || (inner != json.end() && inner->is_object());
}

OlmoConfig read_config(const nlohmann::json& json, const std::string& label) {
  ConfigReader reader(json, label);
  OlmoConfig c;
  c.vocab = reader.positive("vocab_size", 100352);
  c.d = reader.positive("hidden_size", 3840);
  c.ff = reader.positive("intermediate_size", 11008);
  c.layers = read_layers(reader);
  c.heads = reader.count("num_attention_heads", 30);
  c.kv_heads = reader.count("num_key_value_heads", c.heads);
  c.head_dim = c.d / c.heads;
  if (c.d % c.heads != 0)
    reader.refuse("num_attention_heads",
                  fmt::format("{} does not divide hidden_size = {}", c.heads, c.d));
  c.delta = read_delta_net(reader, c.d, c.heads);
  c.eps = reader.number("rms_norm_eps", 1e-6, 0, 1);
  c.bias = reader.boolean("attention_bias", false);
  c.tied = reader.boolean("tie_word_embeddings", false);
  c.max_positions = reader.positions("max_position_embeddings", 65536);
  const Rope rope =
      read_rope(reader, label, {.head_dim = c.head_dim, .max_positions = c.max_positions});
  c.says_rope = says_rope(json);
  if (!rope_is_switched_off(json)) c.rope = rope;
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("hidden_act", "silu", "the MLP is SwiGLU");
  reader.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  ignore_bookkeeping(reader);
  reader.finish();
  check_heads(reader, "num_key_value_heads", c.heads, c.kv_heads);
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const OlmoConfig& c) {
  std::map<std::string, std::string> settings = {{"rms_norm_eps", fmt::to_string(c.eps)},
                                                 {"tie_word_embeddings", fmt::to_string(c.tied)},
                                                 {"intermediate_size", fmt::to_string(c.ff)}};
  const auto has = [&](LayerKind kind) {
    return std::find(c.layers.begin(), c.layers.end(), kind) != c.layers.end();
  };
  if (has(LayerKind::kSoftmax)) {
    settings["num_attention_heads"] = fmt::to_string(c.heads);
    settings["num_key_value_heads"] = fmt::to_string(c.kv_heads);
    settings["attention_bias"] = fmt::to_string(c.bias);
    settings["rope_theta"] = c.rope ? fmt::to_string(c.rope->theta) : "none";
    if (c.rope) settings["rope scaling"] = c.rope->scaling();
  }
  if (has(LayerKind::kDelta)) {
    add_settings(settings, c.delta);
    settings["linear_allow_neg_eigval"] = fmt::to_string(c.delta.doubles_beta);
  }
  return settings;
}

// ----------------------------------------------------------------------------------- softmax mixer

/// Attention with one norm over the queries of all heads together, and one over the keys.
struct SoftmaxMixer : Mixer {
  SoftmaxMixer(const OlmoConfig& config, TensorSource& source, const std::string& name)
      : Mixer(name), c(config) {
    const std::int64_t wide = c.heads * c.head_dim, narrow = c.kv_heads * c.head_dim;
    q_proj = add_linear(source, "q_proj", c.d, wide, c.bias);
    k_proj = add_linear(source, "k_proj", c.d, narrow, c.bias);
    v_proj = add_linear(source, "v_proj", c.d, narrow, c.bias);
    o_proj = add_linear(source, "o_proj", wide, c.d, c.bias);
    q_norm = add_norm(source, "q_norm", wide, c.eps, NormRounding::kAfterWeight);
    k_norm = add_norm(source, "k_norm", narrow, c.eps, NormRounding::kAfterWeight);
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const at::Tensor k = turned((*k_norm)((*k_proj)(x)), pass);  // [B, H_kv, T, D]
    const at::Tensor v = split_heads((*v_proj)(x), c.head_dim);  // [B, H_kv, T, D]
    const auto seen = remember(states, {k, v});
    if (rows == 0) return x.narrow(1, 0, 0);

    const at::Tensor q =  // [B, H, R, D]
        turned((*q_norm)((*q_proj)(last_rows(x, rows))), pass);
    const double scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
    return (*o_proj)(
        merge_heads(attend(q, seen, {.scale = scale, .cached = !states.empty()}, pass)));
  }

  MixerInfo describe() const override {
    MixerInfo info = softmax_info(c.heads, c.kv_heads, c.head_dim);
    claim(info, {{Part::kQuery, "q_proj"},
                 {Part::kKey, "k_proj"},
                 {Part::kValue, "v_proj"},
                 {Part::kOutput, "o_proj"},
                 {Part::kQueryNorm, "q_norm"},
                 {Part::kKeyNorm, "k_norm"}});
    return info;
  }

  /// x [B, T, H*D] → heads [B, H, T, D], rotated if the model has a rotary embedding.
  at::Tensor turned(const at::Tensor& x, const Pass& pass) const {
    const at::Tensor heads = split_heads(x, c.head_dim);
    return c.rope ? rotate(heads, pass, {.rounds_once = true}) : heads;
  }

  OlmoConfig c;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, o_proj;
  std::shared_ptr<RmsNorm> q_norm, k_norm;
};

// --------------------------------------------------------------------------------- gated delta net

/// Only the weight of a convolution.
struct Taps : torch::nn::Module {
  Taps(TensorSource& source, const std::string& name, std::int64_t channels, std::int64_t taps) {
    weight = register_parameter("weight", source.tensor(name + ".weight", {channels, 1, taps}));
  }
  at::Tensor weight;  // [C, 1, k]
};

/// The numbers of channels of q_conv1d, k_conv1d and v_conv1d. Together these are one convolution
/// over all queries, keys and values; transformers splits its weight into thirds when it saves a
/// model, others split it into queries, keys and values.
std::array<std::int64_t, 3> convolution_cuts(const DeltaNetShape& shape, const TensorSource& source,
                                             const std::string& name) {
  const std::int64_t third = (shape.channels() + 2) / 3;
  if (source.rows_of(name + ".q_conv1d.weight") == third)
    return {third, third, shape.channels() - 2 * third};
  return {shape.keys(), shape.keys(), shape.values()};
}

struct DeltaMixer : Mixer {
  DeltaMixer(const OlmoConfig& config, TensorSource& source, const std::string& name)
      : Mixer(name), c(config), shape(config.delta) {
    q_proj = add_linear(source, "q_proj", c.d, shape.keys());
    k_proj = add_linear(source, "k_proj", c.d, shape.keys());
    v_proj = add_linear(source, "v_proj", c.d, shape.values());
    g_proj = add_linear(source, "g_proj", c.d, shape.values());
    b_proj = add_linear(source, "b_proj", c.d, shape.value_heads);
    a_proj = add_linear(source, "a_proj", c.d, shape.value_heads);
    o_proj = add_linear(source, "o_proj", shape.values(), c.d);
    const auto cuts = convolution_cuts(shape, source, name);
    for (const auto& [part, channels] :
         {std::pair{"q_conv1d", cuts[0]}, {"k_conv1d", cuts[1]}, {"v_conv1d", cuts[2]}})
      convolutions.push_back(register_module(
          part, std::make_shared<Taps>(source, name + "." + part, channels, shape.taps)));
    constexpr double kEps = 1e-5;  // independent of rms_norm_eps
    o_norm = add_norm(source, "o_norm", shape.value_dim, kEps);
    a_log = register_parameter("A_log", source.tensor(name + ".A_log", {shape.value_heads}));
    dt_bias = register_parameter("dt_bias", source.tensor(name + ".dt_bias", {shape.value_heads}));
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass&,
                 std::int64_t rows) const override {
    const at::Tensor qkv = at::cat({(*q_proj)(x), (*k_proj)(x), (*v_proj)(x)}, -1);
    std::vector<at::Tensor> taps;
    for (const auto& part : convolutions) taps.push_back(part->weight);
    const at::Tensor convolved = swish(convolve(qkv, at::cat(taps), {}, states));
    const at::Tensor o = delta_net(shape, convolved, (*b_proj)(x), (*a_proj)(x), a_log, dt_bias,
                                   states, rows);  // [B, R, Vh, V]
    if (rows == 0) return x.narrow(1, 0, 0);
    return (*o_proj)(gated_norm(o, *o_norm, (*g_proj)(last_rows(x, rows))));
  }

  MixerInfo describe() const override {
    MixerInfo info = delta_net_info(shape);
    claim(info, {{Part::kQuery, "q_proj"},
                 {Part::kKey, "k_proj"},
                 {Part::kValue, "v_proj"},
                 {Part::kOutput, "o_proj"},
                 {Part::kGate, "g_proj"},
                 {Part::kNorm, "o_norm"},
                 {Part::kConvolution, "q_conv1d"},
                 {Part::kConvolution, "k_conv1d"},
                 {Part::kConvolution, "v_conv1d"},
                 {Part::kOther, "b_proj"},
                 {Part::kOther, "a_proj"},
                 {Part::kOther, "A_log"},
                 {Part::kOther, "dt_bias"}});
    return info;
  }

  OlmoConfig c;
  DeltaNetShape shape;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, g_proj, b_proj, a_proj, o_proj;
  std::vector<std::shared_ptr<Taps>> convolutions;
  std::shared_ptr<RmsNorm> o_norm;
  at::Tensor a_log, dt_bias;  // [Vh]
};

// ------------------------------------------------------------------------------------------- model

DecoderShape shape_of(const OlmoConfig& c) {
  return {.vocab = c.vocab,
          .d = c.d,
          .ff = c.ff,
          .eps = c.eps,
          .rounding = NormRounding::kAfterWeight,
          .tied = c.tied};
}

MakeBlock blocks_of(const OlmoConfig& c, TensorSource& source) {
  return [c, &source](std::int64_t index, const std::string& prefix) -> std::shared_ptr<Block> {
    if (c.layers[static_cast<std::size_t>(index)] == LayerKind::kDelta)
      return std::make_shared<PreNormBlock>(
          shape_of(c),
          BlockNames{.mixer = "linear_attn",
                     .mixer_norm = "attention_layer_norm",
                     .feed_forward_norm = "feedforward_layer_norm"},
          std::make_shared<DeltaMixer>(c, source, prefix + ".linear_attn"),
          std::make_shared<GatedMlp>(source, prefix + ".mlp", c.d, c.ff), source, prefix);
    // transformers saves the norm after a softmax mixer under the name of another norm.
    const bool is_misnamed = source.has(prefix + ".feedforward_layer_norm.weight");
    return std::make_shared<PostNormBlock>(
        shape_of(c), std::make_shared<SoftmaxMixer>(c, source, prefix + ".self_attn"), source,
        prefix, is_misnamed ? "feedforward_layer_norm" : "post_attention_layernorm");
  };
}

class OlmoHybrid : public DecoderLM {
 public:
  OlmoHybrid(const OlmoConfig& config, TensorSource& source)
      : DecoderLM(shape_of(config), static_cast<std::int64_t>(config.layers.size()), source,
                  blocks_of(config, source)) {
    if (config.rope) rotary_.emplace(*config.rope, device());
    rotates_in_fp32_ = true;
    info_.architecture = "olmo_hybrid";
    info_.eos_ids = config.eos_ids;
    info_.max_positions = config.max_positions;
    info_.settings = settings_of(config);
    info_.scales_positions = config.rope && config.rope->is_scaled();
    if (!config.says_rope)
      info_.warnings.push_back(fmt::format(
          "config.json says nothing of rope_theta: softmax layers are rotated with {}, as in "
          "transformers. Released OLMo Hybrids are not rotated, which \"rope_theta\": null says.",
          config.rope->theta));
  }
};

}  // namespace

std::shared_ptr<CausalLM> make_olmo_hybrid(const nlohmann::json& config, const std::string& label,
                                           TensorSource& source) {
  return std::make_shared<OlmoHybrid>(read_config(config, label), source);
}

}  // namespace niah::models
