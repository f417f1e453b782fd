// The model in the order of the forward pass: config, softmax mixer, lightning mixer, model (the
// blocks are in blocks.h). Letters: B batch, T tokens of this pass, R wanted rows, d hidden size,
// H/H_kv heads, D head size, L lightning heads. Equations: HypeNet, arXiv 2601.22156, and its
// official implementation.
#include "models/arch/hypenet.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <variant>

#include "models/arch/blocks.h"
#include "models/ops/gate.h"
#include "models/ops/lightning.h"
#include "models/ops/rotary.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

/// Factor s_t on the queries of softmax layers at position t, which keeps attention sharp in long
/// contexts: s_t = constant, or log(t + a) / log(trunc(a)).
struct LogitsScaling {
  std::optional<double> constant;
  std::optional<double> log_base;  // a
};

enum class LayerKind { kSoftmax, kLightning };

struct HypeNetConfig {
  std::int64_t vocab, d, ff, heads, kv_heads, head_dim;
  std::vector<LayerKind> layers;
  bool softmax_rope, softmax_gate, bias, tied;
  LogitsScaling scaling;
  std::int64_t lightning_heads, lightning_kv_heads, lightning_dim;
  double lightning_scale;
  bool lightning_rope, lightning_qk_norm, lightning_out_norm, lightning_gate;
  double eps, theta;
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

LogitsScaling read_scaling(ConfigReader& reader) {
  constexpr const char* kField = "attn_logits_scaling";
  constexpr double kLargest = 1e9;
  const nlohmann::json& value = reader.raw(kField);
  if (value.is_null()) return {};
  if (value.is_number_float()) return {reader.number(kField, 0, 1e-9, kLargest), std::nullopt};
  if (!value.is_string())
    reader.refuse(kField, fmt::format("null, a number with a decimal point, or a string such as "
                                      "\"hype 500\" was expected, found {}",
                                      value.dump()));
  // The reference treats any first word as "hype", and uses 362 if there is no second word.
  std::istringstream words(value.get<std::string>());
  std::string method, base, more;
  words >> method >> base >> more;
  if (method != "hype" || !more.empty())
    reader.refuse(kField, fmt::format("'hype' and one number were expected, such as \"hype 500\", "
                                      "found {}",
                                      value.dump()));
  double a = 362;
  if (!base.empty()) {
    std::istringstream number(base);
    if (!(number >> a) || !number.eof())
      reader.refuse(kField, fmt::format("'{}' is not a number", base));
  }
  if (!(std::trunc(a) >= 2 && a <= kLargest))
    reader.refuse(kField, fmt::format("the base must be from 2 to {}, found {}", kLargest, a));
  return {std::nullopt, a};
}

double read_lightning_scale(ConfigReader& reader, std::int64_t head_dim) {
  const std::string rule = reader.one_of("lightning_scale", "1/sqrt(d)", {"1/sqrt(d)", "1/d", "1"});
  if (rule == "1/sqrt(d)") return 1 / std::sqrt(static_cast<double>(head_dim));
  if (rule == "1/d") return 1 / static_cast<double>(head_dim);
  return 1;
}

std::vector<LayerKind> read_layers(ConfigReader& reader) {
  const std::int64_t count = reader.count("num_hidden_layers", 32);
  const auto layers =
      kinds_of_layers<LayerKind>(reader, "mixer_types", reader.text_list("mixer_types"), count,
                                 {{"attn", LayerKind::kSoftmax},
                                  {"lightning-attn", LayerKind::kLightning},
                                  {"lightning_attn", LayerKind::kLightning}},
                                 "attn and lightning-attn");
  if (!layers.empty()) return layers;
  return std::vector(static_cast<std::size_t>(count), LayerKind::kSoftmax);
}

HypeNetConfig read_config(const nlohmann::json& json, const std::string& label) {
  ConfigReader reader(json, label);
  HypeNetConfig c;
  c.vocab = reader.positive("vocab_size", 151936);
  c.d = reader.positive("hidden_size", 4096);
  c.ff = reader.positive("intermediate_size", 22016);
  c.layers = read_layers(reader);
  c.heads = reader.count("num_attention_heads", 32);
  c.kv_heads = reader.count(
      "num_key_value_heads",
      reader.is_null("num_key_value_heads") && reader.has("num_key_value_heads") ? c.heads : 32);
  c.head_dim = reader.count("head_dim", reader.has("head_dim") ? c.d / c.heads : 128);
  c.softmax_rope = reader.boolean("attn_use_rope", true);
  c.softmax_gate = reader.boolean("attn_use_output_gate", false);
  c.scaling = read_scaling(reader);
  c.bias = reader.boolean("attention_bias", false);
  c.lightning_heads = reader.count("lightning_nh", c.heads);
  c.lightning_kv_heads = reader.count("lightning_nkv", c.kv_heads);
  c.lightning_dim = reader.count("lightning_head_dim", c.head_dim);
  c.lightning_scale = read_lightning_scale(reader, c.lightning_dim);
  c.lightning_rope = reader.boolean("lightning_use_rope", true);
  c.lightning_qk_norm = reader.boolean("lightning_use_qk_norm", false);
  c.lightning_out_norm = reader.boolean("lightning_use_output_norm", false);
  c.lightning_gate = reader.boolean("lightning_use_output_gate", false);
  c.eps = reader.number("rms_norm_eps", 1e-6, 0, 1);
  c.theta = read_plain_rope(reader, label, 10000);
  c.tied = reader.boolean("tie_word_embeddings", false);
  c.max_positions = reader.positions("max_position_embeddings", 0);
  c.eos_ids = read_eos_ids(reader, c.vocab);

  reader.must_be("hidden_act", "silu", "the MLP is SwiGLU");
  reader.must_be("lightning_use_short_conv", false, "the reference's own module cannot run it");
  ignore_bookkeeping(reader);
  reader.without_effect({"lightning_rope_scaling", "lightning_conv_size", "expand_kv_proj",
                         "rand_init", "loss_fn", "fused_ce_loss", "shift_labels"});
  for (const auto& [field, value] : json.items())
    if (field.starts_with("gdn_") || field.starts_with("kda_") || field.starts_with("mamba2_"))
      reader.without_effect({field.c_str()});  // for mixers that the released code never creates
  reader.finish();

  check_heads(reader, "num_key_value_heads", c.heads, c.kv_heads);
  check_heads(reader, "lightning_nkv", c.lightning_heads, c.lightning_kv_heads);
  if (c.head_dim % 2 != 0) reader.refuse("head_dim", "must be even for rotary embedding");
  if (c.lightning_rope && c.lightning_dim != c.head_dim)
    reader.refuse("lightning_head_dim", "must equal head_dim when lightning_use_rope is on");
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const HypeNetConfig& c) {
  std::map<std::string, std::string> settings = {{"rms_norm_eps", fmt::to_string(c.eps)},
                                                 {"tie_word_embeddings", fmt::to_string(c.tied)},
                                                 {"intermediate_size", fmt::to_string(c.ff)},
                                                 {"attention_bias", fmt::to_string(c.bias)}};
  const auto has = [&](LayerKind kind) {
    return std::find(c.layers.begin(), c.layers.end(), kind) != c.layers.end();
  };
  bool rotary = false;
  if (has(LayerKind::kSoftmax)) {
    rotary = c.softmax_rope;
    settings["num_attention_heads"] = fmt::to_string(c.heads);
    settings["num_key_value_heads"] = fmt::to_string(c.kv_heads);
    settings["head_dim"] = fmt::to_string(c.head_dim);
    settings["attn_use_rope"] = fmt::to_string(c.softmax_rope);
    settings["attn_use_output_gate"] = fmt::to_string(c.softmax_gate);
    settings["attn_logits_scaling"] = c.scaling.constant ? fmt::to_string(*c.scaling.constant)
                                      : c.scaling.log_base
                                          ? fmt::format("hype {}", *c.scaling.log_base)
                                          : "none";
  }
  if (has(LayerKind::kLightning)) {
    rotary = rotary || c.lightning_rope;
    settings["lightning_nh"] = fmt::to_string(c.lightning_heads);
    settings["lightning_nkv"] = fmt::to_string(c.lightning_kv_heads);
    settings["lightning_head_dim"] = fmt::to_string(c.lightning_dim);
    settings["lightning_scale"] = fmt::to_string(c.lightning_scale);
    settings["lightning_use_rope"] = fmt::to_string(c.lightning_rope);
    settings["lightning_use_qk_norm"] = fmt::to_string(c.lightning_qk_norm);
    settings["lightning_use_output_norm"] = fmt::to_string(c.lightning_out_norm);
    settings["lightning_use_output_gate"] = fmt::to_string(c.lightning_gate);
  }
  if (rotary) settings["rope_theta"] = fmt::to_string(c.theta);
  return settings;
}

// ----------------------------------------------------------------------------------- softmax mixer

struct SoftmaxMixer : Mixer {
  SoftmaxMixer(const HypeNetConfig& config, TensorSource& source, const std::string& name)
      : Mixer(name), c(config) {
    q_proj = add_linear(source, "q_proj", c.d, c.heads * c.head_dim, c.bias);
    k_proj = add_linear(source, "k_proj", c.d, c.kv_heads * c.head_dim, c.bias);
    v_proj = add_linear(source, "v_proj", c.d, c.kv_heads * c.head_dim, c.bias);
    o_proj = add_linear(source, "o_proj", c.heads * c.head_dim, c.d, c.bias);
    q_norm = add_norm(source, "q_norm", c.head_dim, c.eps);
    k_norm = add_norm(source, "k_norm", c.head_dim, c.eps);
    if (c.softmax_gate) o_gate = add_linear(source, "o_gate", c.d, c.heads * c.head_dim);
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    at::Tensor k = (*k_norm)(split_heads((*k_proj)(x), c.head_dim));  // [B, H_kv, T, D]
    const at::Tensor v = split_heads((*v_proj)(x), c.head_dim);       // [B, H_kv, T, D]
    if (c.softmax_rope) k = rotate(k, pass);
    const auto seen = remember(states, {k, v});
    if (rows == 0) return x.narrow(1, 0, 0);

    const at::Tensor wanted = last_rows(x, rows);                          // [B, R, d]
    at::Tensor q = (*q_norm)(split_heads((*q_proj)(wanted), c.head_dim));  // [B, H, R, D]
    if (c.softmax_rope) q = rotate(q, pass);
    q = scale_query(q, pass);

    const double scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
    at::Tensor o =  // [B, R, H*D]
        merge_heads(attend(q, seen, {.scale = scale, .cached = !states.empty()}, pass));
    if (o_gate) o = sigmoid_product(o, (*o_gate)(wanted));
    return (*o_proj)(o);
  }

  MixerInfo describe() const override {
    MixerInfo info = softmax_info(c.heads, c.kv_heads, c.head_dim);
    claim(info, {{Part::kQuery, "q_proj"},
                 {Part::kKey, "k_proj"},
                 {Part::kValue, "v_proj"},
                 {Part::kOutput, "o_proj"},
                 {Part::kGate, "o_gate"},
                 {Part::kQueryNorm, "q_norm"},
                 {Part::kKeyNorm, "k_norm"}});
    return info;
  }

  /// Applies s_t to queries [B, H, R, D] at the last R positions of a pass. Keys are not scaled, so
  /// the cache stays valid as the context grows.
  at::Tensor scale_query(const at::Tensor& q, const Pass& pass) const {
    if (c.scaling.constant) return q * *c.scaling.constant;
    if (!c.scaling.log_base) return q;
    const std::int64_t rows = q.size(2);
    std::vector<std::int64_t> first;
    for (const std::int64_t position : pass.positions)
      first.push_back(position + pass.tokens - rows);
    return (q * query_factors(first, rows, q.device())).to(q.scalar_type());
  }

  /// s_t = log(t + a) / log(trunc(a)) for `rows` positions from each of `first`: [B, 1, R, 1].
  at::Tensor query_factors(const std::vector<std::int64_t>& first, std::int64_t rows,
                           at::Device device) const {
    const auto a = static_cast<float>(*c.scaling.log_base);
    const auto denominator = static_cast<float>(std::log(std::trunc(*c.scaling.log_base)));
    const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(first.size()), 1, rows, 1};
    if (!device.is_cpu())  // computed on the device, because copying would mean waiting
      return ((positions_on(device, first, rows) + a).log() / denominator).view(shape);
    std::vector<float> factors;
    for (const std::int64_t begin : first)
      for (std::int64_t t = begin; t < begin + rows; ++t)
        factors.push_back(std::log(static_cast<float>(t) + a) / denominator);
    return at::tensor(factors).view(shape);
  }

  HypeNetConfig c;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, o_proj, o_gate;
  std::shared_ptr<RmsNorm> q_norm, k_norm;
};

// --------------------------------------------------------------------------------- lightning mixer

struct LightningMixer : Mixer {
  LightningMixer(const HypeNetConfig& config, TensorSource& source, const std::string& name)
      : Mixer(name), c(config) {
    const std::int64_t wide = c.lightning_heads * c.lightning_dim;
    const std::int64_t narrow = c.lightning_kv_heads * c.lightning_dim;
    q_proj = add_linear(source, "q_proj", c.d, wide, c.bias);
    k_proj = add_linear(source, "k_proj", c.d, narrow, c.bias);
    v_proj = add_linear(source, "v_proj", c.d, narrow, c.bias);
    o_proj = add_linear(source, "o_proj", wide, c.d, c.bias);
    if (c.lightning_qk_norm) {
      q_norm = add_norm(source, "q_norm", c.lightning_dim, c.eps);
      k_norm = add_norm(source, "k_norm", c.lightning_dim, c.eps);
    }
    if (c.lightning_out_norm) o_norm = add_norm(source, "o_norm", wide, c.eps);
    if (c.lightning_gate) z_proj = add_linear(source, "z_proj", c.d, wide, c.bias);
    slopes = lightning_slopes(c.lightning_heads).to(q_proj->weight.device());
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    at::Tensor q = split_heads((*q_proj)(x), c.lightning_dim);  // [B, L, T, D]
    at::Tensor k = split_heads((*k_proj)(x), c.lightning_dim);  // [B, L_kv, T, D]
    const at::Tensor v = split_heads((*v_proj)(x), c.lightning_dim);
    if (q_norm) {
      q = (*q_norm)(q);
      k = (*k_norm)(k);
    }
    if (c.lightning_rope) {
      q = rotate(q, pass);
      k = rotate(k, pass);
    }
    const LightningResult result = lightning_attention(q, k, v, slopes, c.lightning_scale,
                                                       states.joined(&RecurrentState::recurrent));
    states.store(&RecurrentState::recurrent, result.state);
    if (rows == 0) return x.narrow(1, 0, 0);

    at::Tensor o = last_rows(merge_heads(result.output), rows);  // [B, R, L*D]
    if (o_norm) o = (*o_norm)(o);
    if (z_proj) o = sigmoid_product(o, (*z_proj)(last_rows(x, rows)));
    return (*o_proj)(o);
  }

  MixerInfo describe() const override {
    MixerInfo info;
    info.letter = 'L';
    info.name = "lightning";
    info.cost = linear_cost(c.lightning_heads, c.lightning_dim, c.lightning_dim);
    claim(info, {{Part::kQuery, "q_proj"},
                 {Part::kKey, "k_proj"},
                 {Part::kValue, "v_proj"},
                 {Part::kOutput, "o_proj"},
                 {Part::kGate, "z_proj"},
                 {Part::kQueryNorm, "q_norm"},
                 {Part::kKeyNorm, "k_norm"},
                 {Part::kNorm, "o_norm"}});
    return info;
  }

  HypeNetConfig c;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, o_proj, z_proj;
  std::shared_ptr<RmsNorm> q_norm, k_norm, o_norm;
  at::Tensor slopes;  // [L], determined by the number of heads, the same in every layer
};

// ------------------------------------------------------------------------------------------- model

DecoderShape shape_of(const HypeNetConfig& c) {
  return {.vocab = c.vocab, .d = c.d, .ff = c.ff, .eps = c.eps, .tied = c.tied};
}

class HypeNet : public DecoderLM {
 public:
  HypeNet(const HypeNetConfig& config, TensorSource& source)
      : DecoderLM(shape_of(config), static_cast<std::int64_t>(config.layers.size()), source,
                  pre_norm_blocks(
                      shape_of(config), source,
                      [&](std::int64_t index, const std::string& name) -> std::shared_ptr<Mixer> {
                        if (config.layers[static_cast<std::size_t>(index)] == LayerKind::kSoftmax)
                          return std::make_shared<SoftmaxMixer>(config, source, name);
                        return std::make_shared<LightningMixer>(config, source, name);
                      })),
        c_(config) {
    if (c_.softmax_rope || c_.lightning_rope)
      rotary_.emplace(Rope{.theta = c_.theta, .width = c_.head_dim}, device());
    info_.architecture = "hypenet";
    info_.eos_ids = c_.eos_ids;
    info_.max_positions = c_.max_positions;
    info_.warnings = warnings();
    info_.settings = settings_of(c_);
  }

 private:
  /// The released configs omit the scaling, and their authors tell users to set it: without it,
  /// recall in long contexts is near zero.
  std::vector<std::string> warnings() const {
    const bool scaled = c_.scaling.constant || c_.scaling.log_base;
    const bool attends = std::count(c_.layers.begin(), c_.layers.end(), LayerKind::kSoftmax) > 0;
    const bool small = c_.max_positions > 0 && c_.max_positions <= 32768;
    if (scaled || c_.softmax_rope || !attends || small) return {};
    constexpr std::int64_t kWidth2B = 2048;
    const std::string value =
        c_.d == kWidth2B
            ? "\"hype 500\" (the value of HypeNet-2B)"
            : "the value that Table 6 of the HypeNet paper (arXiv 2601.22156) gives for "
              "this size; for HypeNet-2B it is \"hype 500\"";
    return {
        fmt::format("attn_logits_scaling is null: the released HypeNets need it for long "
                    "contexts, and recall far beyond the training length is near zero without. "
                    "Set it in config.json, or in a sweep by `override: {{attn_logits_scaling: "
                    "...}}`, to {}.",
                    value)};
  }

  HypeNetConfig c_;
};

}  // namespace

std::shared_ptr<CausalLM> make_hypenet(const nlohmann::json& config, const std::string& label,
                                       TensorSource& source) {
  return std::make_shared<HypeNet>(read_config(config, label), source);
}

}  // namespace niah::models
