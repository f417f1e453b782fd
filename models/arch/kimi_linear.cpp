// The model in the order of the forward pass: config, Kimi Delta Attention (the softmax mixer is in
// latent_attention.h, the delta rule between the projections in delta_net.h), mixture of experts,
// model (the blocks are in blocks.h). Letters: B batch, T tokens of this pass, R wanted rows, d
// hidden size, H heads of D, E experts. Equations: Kimi Linear, arXiv 2510.26692, and its
// implementation in transformers.
#include "models/arch/kimi_linear.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/json_integer.h"
#include "models/arch/blocks.h"
#include "models/arch/delta_net.h"
#include "models/arch/latent_attention.h"
#include "models/ops/gate.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

enum class LayerKind { kDelta, kSoftmax };

struct MixtureConfig {
  std::int64_t experts = 0, ff = 0, shared_ff = 0;
  SigmoidRouting routing;
};

struct KimiConfig {
  std::int64_t vocab, d, ff;
  std::vector<LayerKind> layers;
  std::vector<bool> mixes;  ///< by layer: true for a mixture of experts, false for an MLP
  DeltaNetShape delta;
  LatentAttentionShape attention;
  MixtureConfig mixture;
  bool tied;
  double eps;
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

/// Returns that of two names of a field which is present. Refuses two that differ.
std::string either(ConfigReader& reader, const std::string& name, const std::string& other) {
  if (reader.is_null(other)) return name;
  if (!reader.is_null(name) && reader.raw(name) != reader.raw(other))
    reader.refuse(other, fmt::format("it contradicts {}; remove one", name));
  return other;
}

/// The lists in linear_attn_config number the layers of each kind from 1.
std::vector<LayerKind> read_numbered_layers(ConfigReader& linear, std::int64_t count) {
  if (linear.is_null("full_attn_layers") && linear.is_null("kda_layers")) return {};
  std::map<std::int64_t, LayerKind> kinds;
  for (const auto& [field, kind] : {std::pair{"full_attn_layers", LayerKind::kSoftmax},
                                    std::pair{"kda_layers", LayerKind::kDelta}}) {
    const nlohmann::json& numbers = linear.raw(field);
    if (!numbers.is_array()) linear.refuse(field, "a list of layers was expected");
    for (const nlohmann::json& number : numbers) {
      const bool fits = is_integer_of<std::int64_t>(number) && number.get<std::int64_t>() >= 1 &&
                        number.get<std::int64_t>() <= count;
      if (!fits) linear.refuse(field, fmt::format("layers from 1 to {} were expected", count));
      if (!kinds.emplace(number.get<std::int64_t>(), kind).second)
        linear.refuse(field, fmt::format("layer {} is listed twice", number.get<std::int64_t>()));
    }
  }
  std::vector<LayerKind> layers;
  for (const auto& [number, kind] : kinds) layers.push_back(kind);
  if (static_cast<std::int64_t>(layers.size()) != count)
    linear.refuse("kda_layers", fmt::format("{} layers are listed, here and in full_attn_layers, "
                                            "for num_hidden_layers = {}",
                                            layers.size(), count));
  return layers;
}

std::vector<LayerKind> read_layers(ConfigReader& reader, ConfigReader& linear) {
  const std::int64_t count = reader.count("num_hidden_layers", 27);
  const std::vector<LayerKind> numbered = read_numbered_layers(linear, count);
  auto layers = kinds_of_layers<LayerKind>(
      reader, "layer_types", reader.text_list("layer_types"), count,
      {{"full_attention", LayerKind::kSoftmax}, {"linear_attention", LayerKind::kDelta}},
      "full_attention and linear_attention");
  if (layers.empty()) layers = numbered;
  if (layers.empty())
    for (std::int64_t i = 0; i < count; ++i)
      layers.push_back(i > 0 && i % 4 == 0 ? LayerKind::kSoftmax : LayerKind::kDelta);
  if (static_cast<std::int64_t>(layers.size()) != count)
    reader.refuse("layer_types",
                  fmt::format("{} entries for num_hidden_layers = {}", layers.size(), count));
  if (!numbered.empty() && numbered != layers)
    reader.refuse("layer_types", "it contradicts linear_attn_config; remove one");
  return layers;
}

DeltaNetShape read_delta_net(ConfigReader& reader, ConfigReader& linear) {
  const auto count = [&](const char* field, const char* inner, std::int64_t fallback) {
    const std::int64_t older = linear.count(inner, fallback), value = reader.count(field, older);
    if (!linear.is_null(inner) && value != older)
      reader.refuse(field, fmt::format("it contradicts {} of linear_attn_config, {}; remove one",
                                       inner, older));
    return value;
  };
  DeltaNetShape delta{};
  delta.key_heads = delta.value_heads = count("linear_num_heads", "num_heads", 32);
  delta.key_dim = delta.value_dim = count("linear_head_dim", "head_dim", 128);
  delta.taps = count("linear_conv_kernel_dim", "short_conv_kernel_size", 4);
  return delta;
}

LatentAttentionShape read_attention(ConfigReader& reader, std::int64_t d) {
  LatentAttentionShape shape;
  shape.d = d;
  shape.heads = reader.count("num_attention_heads", 32);
  shape.own_dim = reader.count("qk_nope_head_dim", 128);
  shape.shared_dim = reader.count("qk_rope_head_dim", 64);
  shape.value_dim = reader.count("v_head_dim", 128);
  shape.rank = reader.count("kv_lora_rank", 512);
  shape.bias = reader.boolean("attention_bias", false);
  reader.must_be("num_key_value_heads", shape.heads, "every head has a key of its own");
  reader.must_be("q_lora_rank", nullptr, "queries are made of the stream itself");
  reader.must_be("mla_use_nope", true, "no layer knows positions");
  return shape;
}

MixtureConfig read_mixture(ConfigReader& reader) {
  const RoutingFields fields{
      .groups = either(reader, "num_expert_group", "n_group"),
      .chosen_groups = "topk_group",
      .chosen = either(reader, "num_experts_per_token", "num_experts_per_tok")};
  MixtureConfig c;
  c.experts = reader.count(either(reader, "num_experts", "num_local_experts"), 256);
  c.ff = reader.count("moe_intermediate_size", 1024);
  c.shared_ff = c.ff * reader.count(either(reader, "num_shared_experts", "n_shared_experts"), 1);
  c.routing.groups = reader.count(fields.groups, 1);
  c.routing.chosen_groups = reader.count(fields.chosen_groups, 1);
  c.routing.chosen = reader.count(fields.chosen, 8);
  c.routing.normalised = reader.boolean(either(reader, "moe_renormalize", "norm_topk_prob"), true);
  c.routing.scale = reader.multiplier("routed_scaling_factor", 2.446);
  check_routing(reader, c.routing, c.experts, fields);
  if (c.routing.groups > 1)
    reader.must_be("use_grouped_topk", true, "experts are in several groups");
  reader.must_be("moe_router_activation_func", "sigmoid", "scores are sigmoids");
  reader.must_be("moe_layer_freq", 1, "every layer after the dense ones has experts");
  reader.without_effect({"use_grouped_topk", "router_aux_loss_coef", "output_router_logits"});
  return c;
}

/// Which layers have experts, by mlp_layer_types or first_k_dense_replace.
std::vector<bool> read_mixing_layers(ConfigReader& reader, std::size_t count) {
  const std::int64_t dense = reader.integer("first_k_dense_replace", 1, 0, ConfigReader::kMaxCount);
  std::vector<bool> older;
  for (std::size_t i = 0; i < count; ++i) older.push_back(static_cast<std::int64_t>(i) >= dense);
  const auto mixes = kinds_of_layers<bool>(
      reader, "mlp_layer_types", reader.text_list("mlp_layer_types"),
      static_cast<std::int64_t>(count), {{"dense", false}, {"sparse", true}}, "dense and sparse");
  if (mixes.empty()) return older;
  if (!reader.is_null("first_k_dense_replace") && mixes != older)
    reader.refuse("first_k_dense_replace", "it contradicts mlp_layer_types; remove one");
  return mixes;
}

KimiConfig read_config(const nlohmann::json& json, const std::string& label) {
  ConfigReader reader(json, label);
  const nlohmann::json none = nlohmann::json::object();
  const bool has_linear = !reader.is_null("linear_attn_config");
  ConfigReader linear(has_linear ? reader.raw("linear_attn_config") : none,
                      label + ": linear_attn_config");
  KimiConfig c;
  c.vocab = reader.positive("vocab_size", 163840);
  c.d = reader.positive("hidden_size", 2304);
  c.ff = reader.positive("intermediate_size", 9216);
  c.layers = read_layers(reader, linear);
  c.mixes = read_mixing_layers(reader, c.layers.size());
  c.delta = read_delta_net(reader, linear);
  c.attention = read_attention(reader, c.d);
  c.mixture = read_mixture(reader);
  c.eps = reader.number("rms_norm_eps", 1e-5, 0, 1);
  c.tied = reader.boolean("tie_word_embeddings", false);
  c.max_positions =
      reader.positions(either(reader, "model_max_length", "max_position_embeddings"), 1048576);
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("hidden_act", "silu", "MLPs and experts are SwiGLUs");
  reader.must_be("num_nextn_predict_layers", 0, "there is no draft model");
  reader.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  ignore_bookkeeping(reader);
  // Nothing is rotated, and the sizes of a head are given by other fields.
  reader.without_effect({"rope_theta", "rope_scaling", "rope_parameters", "head_dim", "qk_head_dim",
                         "pretraining_tp"});
  linear.finish();
  reader.finish();
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const KimiConfig& c) {
  std::string which;
  for (const bool mixes : c.mixes) which += mixes ? 'E' : '-';
  std::map<std::string, std::string> settings = {
      {"rms_norm_eps", fmt::to_string(c.eps)},
      {"tie_word_embeddings", fmt::to_string(c.tied)},
      {"intermediate_size", fmt::to_string(c.ff)},
      {"linear_num_heads", fmt::to_string(c.delta.key_heads)},
      {"linear_head_dim", fmt::to_string(c.delta.key_dim)},
      {"linear_conv_kernel_dim", fmt::to_string(c.delta.taps)},
      {"layers with experts", which},
      {"experts", fmt::to_string(c.mixture.experts)},
      {"experts: width", fmt::to_string(c.mixture.ff)},
      {"experts: shared width", fmt::to_string(c.mixture.shared_ff)}};
  add_settings(settings, c.mixture.routing);
  add_settings(settings, c.attention);
  return settings;
}

// ---------------------------------------------------------------------------- Kimi Delta Attention

struct DeltaMixer : Mixer {
  DeltaMixer(const KimiConfig& config, TensorSource& source, const std::string& name)
      : Mixer(name), c(config), shape(config.delta) {
    q_proj = add_linear(source, "q_proj", c.d, shape.keys());
    k_proj = add_linear(source, "k_proj", c.d, shape.keys());
    v_proj = add_linear(source, "v_proj", c.d, shape.values());
    for (const char* part : {"q_conv1d", "k_conv1d", "v_conv1d"})
      convolutions.push_back(register_module(
          part,
          std::make_shared<ShortConvolution>(source, name + "." + part, shape.keys(), shape.taps)));
    f_a_proj = add_linear(source, "f_a_proj", c.d, shape.key_dim);
    f_b_proj = add_linear(source, "f_b_proj", shape.key_dim, shape.keys());
    b_proj = add_linear(source, "b_proj", c.d, shape.value_heads);
    g_a_proj = add_linear(source, "g_a_proj", c.d, shape.value_dim);
    g_b_proj = add_linear(source, "g_b_proj", shape.value_dim, shape.values());
    o_norm = add_norm(source, "o_norm", shape.value_dim, c.eps);
    o_proj = add_linear(source, "o_proj", shape.values(), c.d);
    a_log =
        register_parameter("A_log", source.tensor(name + ".A_log", {1, 1, shape.value_heads, 1}));
    dt_bias = register_parameter("dt_bias", source.tensor(name + ".dt_bias", {shape.keys()}));
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass&,
                 std::int64_t rows) const override {
    const at::Tensor qkv = at::cat({(*q_proj)(x), (*k_proj)(x), (*v_proj)(x)}, -1);  // [B, T, 3HD]
    std::vector<at::Tensor> taps;
    for (const auto& part : convolutions) taps.push_back(part->weight);
    const at::Tensor convolved = swish(convolve(qkv, at::cat(taps), {}, states));
    const at::Tensor decays = (*f_b_proj)((*f_a_proj)(x));  // [B, T, HD], one per channel
    const at::Tensor o = delta_net(shape, convolved, (*b_proj)(x), decays, a_log, dt_bias, states,
                                   rows);  // [B, R, H, D]
    if (rows == 0) return x.narrow(1, 0, 0);
    return (*o_proj)(gated(o, (*g_b_proj)((*g_a_proj)(last_rows(x, rows)))).flatten(-2));
  }

  /// norm(o) * sigmoid(gate), rounded once: o [B, R, H, D], gate [B, R, HD] → [B, R, H, D].
  at::Tensor gated(const at::Tensor& o, const at::Tensor& gate) const {
    const at::Tensor normed = rms_norm(o.to(at::kFloat), o_norm->weight.to(at::kFloat), o_norm->eps,
                                       NormRounding::kAfterWeight);
    return sigmoid_product(normed, gate.to(at::kFloat).view_as(o)).to(o.scalar_type());
  }

  MixerInfo describe() const override {
    MixerInfo info = delta_net_info(shape);
    info.letter = 'K';
    info.name = "Kimi delta attention";
    claim(info, {{Part::kQuery, "q_proj"},
                 {Part::kKey, "k_proj"},
                 {Part::kValue, "v_proj"},
                 {Part::kOutput, "o_proj"},
                 {Part::kGate, "g_a_proj"},
                 {Part::kGate, "g_b_proj"},
                 {Part::kNorm, "o_norm"},
                 {Part::kConvolution, "q_conv1d"},
                 {Part::kConvolution, "k_conv1d"},
                 {Part::kConvolution, "v_conv1d"},
                 {Part::kOther, "f_a_proj"},
                 {Part::kOther, "f_b_proj"},
                 {Part::kOther, "b_proj"},
                 {Part::kOther, "A_log"},
                 {Part::kOther, "dt_bias"}});
    return info;
  }

  KimiConfig c;
  DeltaNetShape shape;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, f_a_proj, f_b_proj, b_proj, g_a_proj, g_b_proj,
      o_proj;
  std::vector<std::shared_ptr<ShortConvolution>> convolutions;
  std::shared_ptr<RmsNorm> o_norm;
  at::Tensor a_log, dt_bias;  // [1, 1, H, 1], [HD]
};

// ----------------------------------------------------------------------------------------- mixture

/// The chosen experts plus a shared expert.
struct Mixture : FeedForward {
  Mixture(const KimiConfig& config, TensorSource& source, const std::string& name)
      : c(config.mixture) {
    gate = register_module(
        "gate", std::make_shared<SigmoidRouter>(source, name + ".gate", c.experts, config.d));
    const GatedNames names{.gate = "w1", .up = "w3", .down = "w2"};
    experts = register_module(
        "experts", std::make_shared<GatedExperts>(source, name + ".experts", c.experts, config.d,
                                                  c.ff, /*is_fused=*/false, names));
    shared_experts = register_module(
        "shared_experts",
        std::make_shared<GatedMlp>(source, name + ".shared_experts", config.d, c.shared_ff));
  }

  std::vector<PartRows> parts(const std::string& prefix) const override {
    return parts_of_mixture(prefix, *this);
  }

  at::Tensor operator()(const at::Tensor& x) const override {
    return (*experts)(x, (*gate)(x, c.routing)) + (*shared_experts)(x);
  }

  MixtureConfig c;
  std::shared_ptr<SigmoidRouter> gate;
  std::shared_ptr<GatedExperts> experts;
  std::shared_ptr<GatedMlp> shared_experts;
};

// ------------------------------------------------------------------------------------------- model

DecoderShape shape_of(const KimiConfig& c) {
  return {.vocab = c.vocab, .d = c.d, .ff = c.ff, .eps = c.eps, .tied = c.tied};
}

std::shared_ptr<Block> make_block(const KimiConfig& c, std::size_t index, TensorSource& source,
                                  const std::string& prefix) {
  const std::string mixer_name = prefix + ".self_attn";
  std::shared_ptr<Mixer> mixer;
  if (c.layers[index] == LayerKind::kDelta)
    mixer = std::make_shared<DeltaMixer>(c, source, mixer_name);
  else
    mixer = std::make_shared<LatentAttention>(c.attention, source, mixer_name);

  // MLPs are named mlp in released checkpoints, but block_sparse_moe, like the mixtures, in those
  // that transformers saves.
  const bool is_beside = source.has(prefix + ".block_sparse_moe.gate_proj.weight");
  BlockNames names;
  names.feed_forward = c.mixes[index] || is_beside ? "block_sparse_moe" : "mlp";
  const std::string name = prefix + "." + names.feed_forward;
  std::shared_ptr<FeedForward> feed_forward;
  if (c.mixes[index])
    feed_forward = std::make_shared<Mixture>(c, source, name);
  else
    feed_forward = std::make_shared<GatedMlp>(source, name, c.d, c.ff);
  return std::make_shared<PreNormBlock>(shape_of(c), names, std::move(mixer),
                                        std::move(feed_forward), source, prefix);
}

class KimiLinear : public DecoderLM {
 public:
  KimiLinear(const KimiConfig& config, TensorSource& source)
      : DecoderLM(shape_of(config), static_cast<std::int64_t>(config.layers.size()), source,
                  [&](std::int64_t index, const std::string& prefix) {
                    return make_block(config, static_cast<std::size_t>(index), source, prefix);
                  }) {
    info_.architecture = "kimi_linear";
    info_.eos_ids = config.eos_ids;
    info_.max_positions = config.max_positions;
    info_.settings = settings_of(config);
    info_.expert_share = static_cast<double>(config.mixture.routing.chosen) /
                         static_cast<double>(config.mixture.experts);
  }
};

}  // namespace

std::shared_ptr<CausalLM> make_kimi_linear(const nlohmann::json& config, const std::string& label,
                                           TensorSource& source) {
  return std::make_shared<KimiLinear>(read_config(config, label), source);
}

}  // namespace niah::models
