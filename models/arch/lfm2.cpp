// The model in the order of the forward pass: config, softmax mixer, convolution mixer, mixture of
// experts, model (the blocks are in blocks.h). Letters: B batch, T tokens of this pass, R wanted
// rows, d hidden size, H/H_kv heads of D, E experts. Equations: LFM2, arXiv 2511.23404, and its
// implementation in transformers.
#include "models/arch/lfm2.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "models/arch/blocks.h"
#include "models/arch/rope.h"
#include "models/ops/experts.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

enum class LayerKind { kSoftmax, kConvolution };

struct LfmConfig {
  bool is_moe;
  std::int64_t vocab, d, ff, heads, kv_heads, head_dim, taps;
  std::vector<LayerKind> layers;
  bool convolution_bias, tied;
  double eps;
  Rope rope;
  std::int64_t dense_layers = 0;  ///< number of layers before the first mixture of experts
  std::int64_t experts = 0, expert_ff = 0;
  bool has_expert_bias = false;
  SigmoidRouting routing;
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

/// full_attn_idxs, which older configs have instead of layer_types: indices of the softmax layers.
std::vector<LayerKind> read_softmax_indices(ConfigReader& reader, std::int64_t count) {
  constexpr const char* kField = "full_attn_idxs";
  const nlohmann::json& value = reader.raw(kField);
  if (value.is_null()) return std::vector(static_cast<std::size_t>(count), LayerKind::kSoftmax);
  std::vector<LayerKind> layers(static_cast<std::size_t>(count), LayerKind::kConvolution);
  if (!value.is_array()) reader.refuse(kField, "a list of layers was expected");
  for (const nlohmann::json& index : value) {
    const std::int64_t layer = index.is_number_integer() ? index.get<std::int64_t>() : -1;
    if (layer < 0 || layer >= count)
      reader.refuse(kField, fmt::format("a layer below num_hidden_layers = {} was expected, found "
                                        "{}",
                                        count, index.dump()));
    layers[static_cast<std::size_t>(layer)] = LayerKind::kSoftmax;
  }
  return layers;
}

std::vector<LayerKind> read_layers(ConfigReader& reader) {
  const std::int64_t count = reader.count("num_hidden_layers", 32);
  const std::vector<LayerKind> by_index = read_softmax_indices(reader, count);
  const auto layers = kinds_of_layers<LayerKind>(
      reader, "layer_types", reader.text_list("layer_types"), count,
      {{"full_attention", LayerKind::kSoftmax}, {"conv", LayerKind::kConvolution}},
      "full_attention and conv");
  if (layers.empty()) return by_index;
  if (!reader.is_null("full_attn_idxs") && layers != by_index)
    reader.refuse("full_attn_idxs", "it contradicts layer_types; remove one");
  return layers;
}

/// The width of the MLPs: intermediate_size, in dense models adjusted if block_auto_adjust_ff_dim.
std::int64_t read_width(ConfigReader& reader, bool is_moe) {
  if (is_moe) return reader.positive("intermediate_size", 7168);
  const std::int64_t older = reader.positive("block_ff_dim", 12288);
  const std::int64_t size = reader.positive("intermediate_size", older);
  if (!reader.is_null("block_ff_dim") && size != older)
    reader.refuse("block_ff_dim", fmt::format("{}, but intermediate_size is {}", older, size));
  const std::int64_t multiple = reader.positive("block_multiple_of", 256);
  constexpr double kMost = 1024;
  const double factor = reader.number("block_ffn_dim_multiplier", 1, 1e-3, kMost);
  if (!reader.boolean("block_auto_adjust_ff_dim", true)) return size;
  const auto scaled = static_cast<std::int64_t>(factor * static_cast<double>(2 * size / 3));
  const std::int64_t width = (scaled + multiple - 1) / multiple * multiple;
  if (width < 1) reader.refuse("block_ffn_dim_multiplier", "leaves no MLP");
  return width;
}

/// Older configs call tie_word_embeddings tie_embedding.
bool read_tied(ConfigReader& reader) {
  const bool older = reader.boolean("tie_embedding", true);
  const bool tied = reader.boolean("tie_word_embeddings", older);
  if (!reader.is_null("tie_embedding") && tied != older)
    reader.refuse("tie_embedding", "it contradicts tie_word_embeddings; remove one");
  return tied;
}

void read_experts(ConfigReader& reader, LfmConfig& c) {
  c.dense_layers = static_cast<std::int64_t>(c.layers.size());
  if (!c.is_moe) return;
  c.dense_layers = reader.integer("num_dense_layers", 2, 0, ConfigReader::kMaxCount);
  c.experts = reader.count("num_experts", 32);
  c.expert_ff = reader.positive("moe_intermediate_size", 1792);
  c.has_expert_bias = reader.boolean("use_expert_bias", true);
  c.routing.chosen = reader.count("num_experts_per_tok", 4);
  c.routing.normalised = reader.boolean("norm_topk_prob", true);
  c.routing.epsilon = 1e-6;
  c.routing.scale = reader.multiplier("routed_scaling_factor", 1);
  if (c.routing.chosen > c.experts)
    reader.refuse("num_experts_per_tok",
                  fmt::format("{} of num_experts = {}", c.routing.chosen, c.experts));
  reader.without_effect({"output_router_logits", "router_aux_loss_coef"});
}

/// Checks fields of released configs that repeat others, or that no implementation reads.
void check_repetitions(ConfigReader& reader, const LfmConfig& c) {
  reader.must_be("block_dim", c.d, "it is hidden_size");
  reader.must_be("conv_dim", c.d, "it is hidden_size");
  reader.must_be("conv_dim_out", c.d, "it is hidden_size");
  reader.must_be("num_heads", c.heads, "it is num_attention_heads");
  reader.must_be("block_norm_eps", c.eps, "it is norm_eps");
  reader.must_be("block_use_swiglu", true, "the MLP is SwiGLU");
  reader.must_be("use_pos_enc", true, "softmax layers are rotated");
  reader.without_effect({"block_mlp_init_scale", "block_out_init_scale", "block_use_xavier_init",
                         "conv_use_xavier_init"});
}

LfmConfig read_config(const nlohmann::json& json, const std::string& label, bool is_moe) {
  ConfigReader reader(json, label);
  LfmConfig c;
  c.is_moe = is_moe;
  c.vocab = reader.positive("vocab_size", 65536);
  c.d = reader.positive("hidden_size", is_moe ? 2048 : 2560);
  c.ff = read_width(reader, is_moe);
  c.layers = read_layers(reader);
  c.heads = reader.count("num_attention_heads", 32);
  c.kv_heads = reader.count("num_key_value_heads", reader.has("num_key_value_heads") ? c.heads : 8);
  if (c.d % c.heads != 0)
    reader.refuse("num_attention_heads",
                  fmt::format("{} does not divide hidden_size = {}", c.heads, c.d));
  c.head_dim = c.d / c.heads;
  c.taps = reader.count("conv_L_cache", 3);
  c.convolution_bias = reader.boolean("conv_bias", false);
  c.eps = reader.number("norm_eps", 1e-5, 0, 1);
  c.tied = read_tied(reader);
  c.max_positions = reader.positions("max_position_embeddings", 128000);
  c.rope = read_rope(reader, label,
                     {.head_dim = c.head_dim, .max_positions = c.max_positions, .theta = 1e6});
  read_experts(reader, c);
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("hidden_act", "silu", "the MLP is SwiGLU");
  reader.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  check_repetitions(reader, c);
  ignore_bookkeeping(reader);
  reader.finish();
  check_heads(reader, "num_key_value_heads", c.heads, c.kv_heads);
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const LfmConfig& c) {
  std::map<std::string, std::string> settings = {
      {"norm_eps", fmt::to_string(c.eps)},
      {"tie_word_embeddings", fmt::to_string(c.tied)},
      {"width of the MLP", fmt::to_string(c.ff)},
      {"num_attention_heads", fmt::to_string(c.heads)},
      {"num_key_value_heads", fmt::to_string(c.kv_heads)},
      {"conv_L_cache", fmt::to_string(c.taps)},
      {"conv_bias", fmt::to_string(c.convolution_bias)},
      {"rope_theta", fmt::to_string(c.rope.theta)},
      {"rope scaling", c.rope.scaling()}};
  if (!c.is_moe) return settings;
  settings["num_dense_layers"] = fmt::to_string(c.dense_layers);
  settings["num_experts"] = fmt::to_string(c.experts);
  settings["num_experts_per_tok"] = fmt::to_string(c.routing.chosen);
  settings["moe_intermediate_size"] = fmt::to_string(c.expert_ff);
  settings["use_expert_bias"] = fmt::to_string(c.has_expert_bias);
  settings["norm_topk_prob"] = fmt::to_string(c.routing.normalised);
  settings["routed_scaling_factor"] = fmt::to_string(c.routing.scale);
  return settings;
}

// ----------------------------------------------------------------------------------- softmax mixer

struct SoftmaxMixer : Mixer {
  SoftmaxMixer(const LfmConfig& config, TensorSource& source, const std::string& name)
      : Mixer(name), c(config) {
    q_proj = add_linear(source, "q_proj", c.d, c.heads * c.head_dim);
    k_proj = add_linear(source, "k_proj", c.d, c.kv_heads * c.head_dim);
    v_proj = add_linear(source, "v_proj", c.d, c.kv_heads * c.head_dim);
    out_proj = add_linear(source, "out_proj", c.heads * c.head_dim, c.d);
    q_norm = add_norm(source, "q_layernorm", c.head_dim, c.eps);
    k_norm = add_norm(source, "k_layernorm", c.head_dim, c.eps);
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const at::Tensor k =  // [B, H_kv, T, D]
        rotate((*k_norm)(split_heads((*k_proj)(x), c.head_dim)), pass);
    const at::Tensor v = split_heads((*v_proj)(x), c.head_dim);  // [B, H_kv, T, D]
    const auto seen = remember(states, {k, v});
    if (rows == 0) return x.narrow(1, 0, 0);

    const at::Tensor q =  // [B, H, R, D]
        rotate((*q_norm)(split_heads((*q_proj)(last_rows(x, rows)), c.head_dim)), pass);
    const double scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
    return (*out_proj)(
        merge_heads(attend(q, seen, {.scale = scale, .cached = !states.empty()}, pass)));
  }

  MixerInfo describe() const override {
    MixerInfo info = softmax_info(c.heads, c.kv_heads, c.head_dim);
    claim(info, {{Part::kQuery, "q_proj"},
                 {Part::kKey, "k_proj"},
                 {Part::kValue, "v_proj"},
                 {Part::kOutput, "out_proj"},
                 {Part::kQueryNorm, "q_layernorm"},
                 {Part::kKeyNorm, "k_layernorm"}});
    return info;
  }

  LfmConfig c;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, out_proj;
  std::shared_ptr<RmsNorm> q_norm, k_norm;
};

// ------------------------------------------------------------------------------- convolution mixer

/// out_proj(c * convolution(b * u)), where b, c and u are projections of the input.
struct ConvolutionMixer : Mixer {
  ConvolutionMixer(const LfmConfig& config, TensorSource& source, const std::string& name)
      : Mixer(name), d(config.d), taps(config.taps) {
    in_proj = add_linear(source, "in_proj", d, 3 * d, config.convolution_bias);
    out_proj = add_linear(source, "out_proj", d, d, config.convolution_bias);
    conv = register_module("conv", std::make_shared<ShortConvolution>(
                                       source, name + ".conv", d, taps, config.convolution_bias));
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass&,
                 std::int64_t rows) const override {
    const auto parts = (*in_proj)(x).chunk(3, -1);  // b, c, u [B, T, d]
    const at::Tensor convolved = (*conv)(parts[0] * parts[2], states);
    if (rows == 0) return x.narrow(1, 0, 0);
    return (*out_proj)(last_rows(parts[1], rows) * last_rows(convolved, rows));
  }

  MixerInfo describe() const override {
    MixerInfo info;
    info.letter = 'c';
    info.name = "short convolution";
    info.cost.tail_values = (taps - 1) * d;
    claim(info,
          {{Part::kOther, "in_proj"}, {Part::kConvolution, "conv"}, {Part::kOutput, "out_proj"}});
    return info;
  }

  std::int64_t d, taps;
  std::shared_ptr<Linear> in_proj, out_proj;
  std::shared_ptr<ShortConvolution> conv;
};

// ----------------------------------------------------------------------------------------- mixture

const GatedNames kNames{.gate = "w1", .up = "w3", .down = "w2"};

struct Mixture : FeedForward {
  Mixture(const LfmConfig& config, TensorSource& source, const std::string& name) : c(config) {
    gate =
        register_module("gate", std::make_shared<Linear>(source, name + ".gate", c.d, c.experts));
    experts = register_module(
        "experts", std::make_shared<GatedExperts>(source, name + ".experts", c.experts, c.d,
                                                  c.expert_ff, /*is_fused=*/false, kNames));
    if (c.has_expert_bias)
      expert_bias =
          register_parameter("expert_bias", source.tensor(name + ".expert_bias", {c.experts}));
  }

  std::vector<PartRows> parts(const std::string& prefix) const override {
    return parts_of_mixture(prefix, *this);
  }

  at::Tensor operator()(const at::Tensor& x) const override {
    const Routing routing = route_by_sigmoid((*gate)(x), expert_bias, c.routing);
    return (*experts)(x, routing);
  }

  LfmConfig c;
  std::shared_ptr<Linear> gate;
  std::shared_ptr<GatedExperts> experts;
  at::Tensor expert_bias;  // [E], or undefined
};

// ------------------------------------------------------------------------------------------- model

DecoderShape shape_of(const LfmConfig& c) {
  return {.vocab = c.vocab,
          .d = c.d,
          .ff = c.ff,
          .eps = c.eps,
          .tied = c.tied,
          .final_norm = "embedding_norm"};
}

std::shared_ptr<Mixer> make_mixer(const LfmConfig& c, LayerKind kind, TensorSource& source,
                                  const std::string& prefix) {
  if (kind == LayerKind::kSoftmax)
    return std::make_shared<SoftmaxMixer>(c, source, prefix + ".self_attn");
  return std::make_shared<ConvolutionMixer>(c, source, prefix + ".conv");
}

std::shared_ptr<FeedForward> make_feed_forward(const LfmConfig& c, std::int64_t index,
                                               TensorSource& source, const std::string& name) {
  if (index >= c.dense_layers) return std::make_shared<Mixture>(c, source, name);
  return std::make_shared<GatedMlp>(source, name, c.d, c.ff, kNames);
}

MakeBlock blocks_of(const LfmConfig& c, TensorSource& source) {
  return [c, &source](std::int64_t index, const std::string& prefix) {
    const LayerKind kind = c.layers[static_cast<std::size_t>(index)];
    const BlockNames names{.mixer = kind == LayerKind::kSoftmax ? "self_attn" : "conv",
                           .mixer_norm = "operator_norm",
                           .feed_forward = "feed_forward",
                           .feed_forward_norm = "ffn_norm"};
    return std::make_shared<PreNormBlock>(
        shape_of(c), names, make_mixer(c, kind, source, prefix),
        make_feed_forward(c, index, source, prefix + ".feed_forward"), source, prefix);
  };
}

class Lfm : public DecoderLM {
 public:
  Lfm(const LfmConfig& config, TensorSource& source)
      : DecoderLM(shape_of(config), static_cast<std::int64_t>(config.layers.size()), source,
                  blocks_of(config, source)) {
    rotary_.emplace(config.rope, device());
    info_.architecture = config.is_moe ? "lfm2_moe" : "lfm2";
    info_.eos_ids = config.eos_ids;
    info_.max_positions = config.max_positions;
    info_.settings = settings_of(config);
    info_.scales_positions = config.rope.is_scaled();
    if (config.experts > 0)
      info_.expert_share =
          static_cast<double>(config.routing.chosen) / static_cast<double>(config.experts);
  }
};

}  // namespace

std::shared_ptr<CausalLM> make_lfm2(const nlohmann::json& config, const std::string& label,
                                    TensorSource& source) {
  return std::make_shared<Lfm>(read_config(config, label, /*is_moe=*/false), source);
}

std::shared_ptr<CausalLM> make_lfm2_moe(const nlohmann::json& config, const std::string& label,
                                        TensorSource& source) {
  return std::make_shared<Lfm>(read_config(config, label, /*is_moe=*/true), source);
}

}  // namespace niah::models
