// The model in the order of the forward pass: config, softmax mixer, model (the blocks are in
// blocks.h). Letters: B batch, T tokens of this pass, R wanted rows, d hidden size, H/H_kv heads, D
// head size. Equations: Qwen3, arXiv 2505.09388; Qwen2.5, arXiv 2412.15115; Llama 3, arXiv
// 2407.21783; Mistral 7B, arXiv 2310.06825; SmolLM3 and Granite 3 (their model cards); OLMo 2,
// arXiv 2501.00656; OLMo 3, arXiv 2512.13961; and their implementations in transformers. Their
// differences are options in SoftmaxConfig.
#include "models/arch/softmax.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/arch/blocks.h"
#include "models/arch/rope.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

struct Layer {
  bool windowed = false;
  bool rotary = true;
};

enum class QkNorm {
  kNone,
  kHead,      ///< a norm over each head
  kAllHeads,  ///< a norm over all heads together
};

struct SoftmaxConfig {
  std::string architecture;
  std::int64_t vocab, d, ff, heads, kv_heads, head_dim;
  std::vector<Layer> layers;
  std::int64_t window = 0;  // size in tokens, for windowed layers
  QkNorm qk_norm = QkNorm::kNone;
  bool qkv_bias, o_bias, mlp_bias = false, tied;
  bool is_olmo;  // post-norm blocks; norms and rotary embedding round once
  double eps, scale;
  double embedding_factor = 1, residual_factor = 1, logits_divisor = 1;
  Rope rope;
  std::optional<Rope> window_rope;  // for windowed layers, if different
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

/// A family's defaults in transformers for absent fields.
struct Defaults {
  std::int64_t vocab, d, ff, layers, heads;
  std::int64_t kv_heads;  // 0: as many as heads
  std::int64_t max_positions;
  double eps = 1e-6, theta = 10000;
  bool tied = false;
};

Defaults defaults_of(const std::string& family) {
  if (family == "mistral") return {32000, 4096, 14336, 32, 32, 8, 131072};
  if (family == "smollm3") return {128256, 2048, 11008, 36, 16, 4, 32768, 1e-6, 2e6, true};
  if (family == "olmo2") return {50304, 4096, 11008, 32, 32, 0, 2048, 1e-5};
  if (family == "olmo3") return {50304, 4096, 11008, 32, 32, 0, 2048, 1e-5, 5e5};
  if (family == "qwen2" || family == "qwen3") return {151936, 4096, 22016, 32, 32, 32, 32768};
  return {32000, 4096, 11008, 32, 32, 0, 2048};  // llama, granite
}

/// `sliding_window`: null means none; if absent, `fallback`.
std::optional<std::int64_t> read_window(ConfigReader& reader,
                                        std::optional<std::int64_t> fallback) {
  if (!reader.has("sliding_window")) return fallback;
  if (reader.is_null("sliding_window")) return std::nullopt;
  return reader.integer("sliding_window", 0, 0, ConfigReader::kMaxPositions);
}

/// Makes a layer windowed; all windowed layers have the same window.
void set_window(ConfigReader& reader, SoftmaxConfig& c, Layer& layer,
                std::optional<std::int64_t> window) {
  if (window.value_or(0) < 1) reader.refuse("sliding_window", "a positive integer was expected");
  layer.windowed = true;
  c.window = *window;
}

/// Sets a window of `window` keys in the layers that `layer_types` selects or, if that is absent,
/// those for which `is_windowed` is true.
void read_windows(ConfigReader& reader, SoftmaxConfig& c, std::optional<std::int64_t> window,
                  const std::function<bool(std::int64_t)>& is_windowed) {
  const auto windowed =
      kinds_of_layers<bool>(reader, "layer_types", reader.text_list("layer_types"),
                            static_cast<std::int64_t>(c.layers.size()),
                            {{"full_attention", false}, {"sliding_attention", true}},
                            "full_attention and sliding_attention");
  for (std::size_t i = 0; i < c.layers.size(); ++i)
    if (windowed.empty() ? is_windowed(static_cast<std::int64_t>(i)) : windowed[i])
      set_window(reader, c, c.layers[i], window);
}

/// By default, layers from `max_window_layers` on are windowed, if `use_sliding_window` is set.
void read_qwen_layers(ConfigReader& reader, SoftmaxConfig& c) {
  const bool windows = reader.boolean("use_sliding_window", false);
  const auto window = read_window(reader, 4096);
  const std::int64_t first_window =
      reader.integer("max_window_layers", 28, 0, ConfigReader::kMaxPositions);
  const auto types = reader.text_list("layer_types");
  if (!windows && std::count(types.begin(), types.end(), "sliding_attention") > 0)
    reader.refuse("layer_types", "it has sliding_attention, but use_sliding_window is not set");
  read_windows(reader, c, window,
               [&](std::int64_t i) { return windows && window && i >= first_window; });
}

/// Layers without rotary embedding have a 0 in `no_rope_layers`; if that is absent, it is every
/// `no_rope_layer_interval`-th layer.
void read_smollm3_layers(ConfigReader& reader, SoftmaxConfig& c) {
  const auto interval = reader.positive("no_rope_layer_interval", 4, ConfigReader::kMaxCount);
  const nlohmann::json& flags = reader.raw("no_rope_layers");
  if (!flags.is_null() && (!flags.is_array() || flags.size() != c.layers.size()))
    reader.refuse("no_rope_layers",
                  fmt::format("a list of {} numbers, one a layer, was expected", c.layers.size()));
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    if (!flags.is_null() && flags[i] != 0 && flags[i] != 1)
      reader.refuse("no_rope_layers", fmt::format("0 or 1 was expected of layer {}", i));
    c.layers[i].rotary =
        flags.is_null() ? (static_cast<std::int64_t>(i) + 1) % interval != 0 : flags[i] == 1;
  }
  const bool windows = reader.boolean("use_sliding_window", false);
  const auto window = read_window(reader, std::nullopt);
  read_windows(reader, c, window, [&](std::int64_t i) {
    return windows && window && !c.layers[static_cast<std::size_t>(i)].rotary;
  });
  reader.without_effect({"max_window_layers"});
}

void read_layers(ConfigReader& reader, SoftmaxConfig& c, std::int64_t count) {
  c.layers.resize(static_cast<std::size_t>(count));
  if (c.architecture == "qwen2" || c.architecture == "qwen3") return read_qwen_layers(reader, c);
  if (c.architecture == "smollm3") return read_smollm3_layers(reader, c);
  if (c.architecture == "olmo3")
    return read_windows(reader, c, read_window(reader, 4096),
                        [](std::int64_t i) { return (i + 1) % 4 != 0; });
  if (c.architecture != "mistral") return;
  if (const auto window = read_window(reader, 4096))
    for (Layer& layer : c.layers) set_window(reader, c, layer, window);
}

/// OLMo 3: `rope_parameters` has an entry per layer type. Before transformers 5, scaling applied to
/// the layers without a window only.
void read_ropes_by_type(ConfigReader& reader, const std::string& label, const RopeRules& rules,
                        SoftmaxConfig& c) {
  if (reader.is_null("rope_parameters")) {
    c.rope = read_rope(reader, label, rules);
    c.window_rope = Rope{.theta = c.rope.theta, .width = c.rope.width};
    return;
  }
  for (const char* field : {"rope_scaling", "rope_theta"})
    reader.must_be(field, nullptr, "rope_parameters has it for each type of layers");
  const std::string object = label + ": rope_parameters";
  ConfigReader types(reader.raw("rope_parameters"), object);
  const auto of_type = [&](const char* type) {
    const nlohmann::json& entry = types.raw(type);
    return read_rope(entry.is_null() ? nlohmann::json::object() : entry, object + ": " + type,
                     rules);
  };
  if (!types.has("full_attention") && !types.has("sliding_attention"))
    reader.refuse("rope_parameters", "entries full_attention and sliding_attention were expected");
  c.rope = of_type("full_attention");
  c.window_rope = of_type("sliding_attention");
  types.finish();
}

void read_ropes(ConfigReader& reader, const std::string& label, double theta, SoftmaxConfig& c) {
  RopeRules rules{.head_dim = c.head_dim, .max_positions = c.max_positions, .theta = theta};
  if (c.architecture == "olmo3") return read_ropes_by_type(reader, label, rules, c);
  if (c.architecture == "qwen2" || c.architecture == "qwen3") {
    rules.types = {"default", "linear", "yarn"};
    rules.has_mscale = true;
  }
  c.rope = read_rope(reader, label, rules);
}

/// The four factors of Granite; attention_multiplier replaces D^-1/2.
void read_multipliers(ConfigReader& reader, SoftmaxConfig& c) {
  c.embedding_factor = reader.multiplier("embedding_multiplier", 1);
  c.residual_factor = reader.multiplier("residual_multiplier", 1);
  c.logits_divisor = reader.multiplier("logits_scaling", 1);
  c.scale = reader.multiplier("attention_multiplier", 1);
}

SoftmaxConfig read_config(const nlohmann::json& json, const std::string& label,
                          const std::string& family) {
  const Defaults usual = defaults_of(family);
  const bool is_qwen2 = family == "qwen2", is_qwen3 = family == "qwen3";
  ConfigReader reader(json, label);
  SoftmaxConfig c;
  c.architecture = family;
  c.vocab = reader.positive("vocab_size", usual.vocab);
  c.d = reader.positive("hidden_size", usual.d);
  c.ff = reader.positive("intermediate_size", usual.ff);
  c.heads = reader.count("num_attention_heads", usual.heads);
  const bool as_heads = reader.has("num_key_value_heads") || usual.kv_heads == 0;
  c.kv_heads = reader.count("num_key_value_heads", as_heads ? c.heads : usual.kv_heads);
  c.head_dim = reader.count("head_dim", is_qwen3 && !reader.has("head_dim") ? 128 : c.d / c.heads);
  read_layers(reader, c, reader.count("num_hidden_layers", usual.layers));
  c.is_olmo = family == "olmo2" || family == "olmo3";
  if (is_qwen3 || c.is_olmo) c.qk_norm = is_qwen3 ? QkNorm::kHead : QkNorm::kAllHeads;
  c.o_bias = !is_qwen2 && family != "mistral" && reader.boolean("attention_bias", false);
  c.qkv_bias = is_qwen2 || c.o_bias;
  if (family == "llama" || family == "smollm3" || family == "granite")
    c.mlp_bias = reader.boolean("mlp_bias", false);
  c.eps = reader.number("rms_norm_eps", usual.eps, 0, 1);
  c.scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
  if (family == "granite") read_multipliers(reader, c);
  c.tied = reader.boolean("tie_word_embeddings", usual.tied);
  c.max_positions = reader.positions("max_position_embeddings", usual.max_positions);
  read_ropes(reader, label, usual.theta, c);
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("hidden_act", "silu", "the MLP is SwiGLU");
  reader.must_be("use_mrope", false, "it belongs to a multimodal model");
  reader.must_be("rope_interleaved", false, "the halves of a head are rotated");
  reader.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  reader.without_effect({"pretraining_tp", "is_llama_config", "transformers.js_config"});
  ignore_bookkeeping(reader);
  reader.finish();
  check_heads(reader, "num_key_value_heads", c.heads, c.kv_heads);
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const SoftmaxConfig& c) {
  std::string rotary;
  for (const Layer& layer : c.layers) rotary += layer.rotary ? 'R' : '-';
  const Rope& window_rope = c.window_rope ? *c.window_rope : c.rope;
  return {{"intermediate_size", fmt::to_string(c.ff)},
          {"num_attention_heads", fmt::to_string(c.heads)},
          {"num_key_value_heads", fmt::to_string(c.kv_heads)},
          {"head_dim", fmt::to_string(c.head_dim)},
          {"attention_bias", fmt::to_string(c.o_bias)},
          {"mlp_bias", fmt::to_string(c.mlp_bias)},
          {"tie_word_embeddings", fmt::to_string(c.tied)},
          {"rms_norm_eps", fmt::to_string(c.eps)},
          {"sliding_window", fmt::to_string(c.window)},
          {"scale of attention", fmt::to_string(c.scale)},
          {"embedding_multiplier", fmt::to_string(c.embedding_factor)},
          {"residual_multiplier", fmt::to_string(c.residual_factor)},
          {"logits_scaling", fmt::to_string(c.logits_divisor)},
          {"layers with rotary embedding", rotary},
          {"rope_theta", fmt::to_string(c.rope.theta)},
          {"rope scaling", c.rope.scaling()},
          {"rope_theta of windows", fmt::to_string(window_rope.theta)},
          {"rope scaling of windows", window_rope.scaling()}};
}

NormRounding rounding_of(const SoftmaxConfig& c) {
  return c.is_olmo ? NormRounding::kAfterWeight : NormRounding::kBeforeWeight;
}

// ----------------------------------------------------------------------------------- softmax mixer

struct SoftmaxMixer : Mixer {
  SoftmaxMixer(const SoftmaxConfig& config, const Layer& layer, TensorSource& source,
               const std::string& name)
      : Mixer(name),
        c(config),
        window(layer.windowed ? c.window : 0),
        is_rotary(layer.rotary),
        rotation{.by_window_tables = layer.windowed && c.window_rope, .rounds_once = c.is_olmo} {
    const auto norm = [&](const char* part, std::int64_t heads) {
      const std::int64_t size = c.qk_norm == QkNorm::kHead ? c.head_dim : heads * c.head_dim;
      return add_norm(source, part, size, c.eps, rounding_of(c));
    };
    q_proj = add_linear(source, "q_proj", c.d, c.heads * c.head_dim, c.qkv_bias);
    k_proj = add_linear(source, "k_proj", c.d, c.kv_heads * c.head_dim, c.qkv_bias);
    v_proj = add_linear(source, "v_proj", c.d, c.kv_heads * c.head_dim, c.qkv_bias);
    o_proj = add_linear(source, "o_proj", c.heads * c.head_dim, c.d, c.o_bias);
    if (c.qk_norm == QkNorm::kNone) return;
    q_norm = norm("q_norm", c.heads);
    k_norm = norm("k_norm", c.kv_heads);
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const at::Tensor k = heads_of((*k_proj)(x), k_norm, pass);   // [B, H_kv, T, D]
    const at::Tensor v = split_heads((*v_proj)(x), c.head_dim);  // [B, H_kv, T, D]
    const auto seen = remember(states, {k, v}, window);
    if (rows == 0) return x.narrow(1, 0, 0);

    const at::Tensor q = heads_of((*q_proj)(last_rows(x, rows)), q_norm, pass);  // [B, H, R, D]
    return (*o_proj)(merge_heads(attend(q, seen, {c.scale, window, !states.empty()}, pass)));
  }

  /// Queries or keys [B, T, H*D] → [B, H, T, D], normalised and rotated.
  at::Tensor heads_of(const at::Tensor& x, const std::shared_ptr<RmsNorm>& norm,
                      const Pass& pass) const {
    at::Tensor heads = split_heads(c.qk_norm == QkNorm::kAllHeads ? (*norm)(x) : x, c.head_dim);
    if (c.qk_norm == QkNorm::kHead) heads = (*norm)(heads);
    return is_rotary ? rotate(heads, pass, rotation) : heads;
  }

  MixerInfo describe() const override {
    MixerInfo info = softmax_info(c.heads, c.kv_heads, c.head_dim, window);
    claim(info, {{Part::kQuery, "q_proj"},
                 {Part::kKey, "k_proj"},
                 {Part::kValue, "v_proj"},
                 {Part::kOutput, "o_proj"},
                 {Part::kQueryNorm, "q_norm"},
                 {Part::kKeyNorm, "k_norm"}});
    return info;
  }

  SoftmaxConfig c;
  std::int64_t window;  // 0: full attention
  bool is_rotary;
  Rotation rotation;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, o_proj;
  std::shared_ptr<RmsNorm> q_norm, k_norm;
};

// ------------------------------------------------------------------------------------------- model

DecoderShape shape_of(const SoftmaxConfig& c) {
  return {.vocab = c.vocab,
          .d = c.d,
          .ff = c.ff,
          .eps = c.eps,
          .rounding = rounding_of(c),
          .tied = c.tied,
          .embedding_scale = c.embedding_factor,
          .logits_divisor = c.logits_divisor,
          .residual_scale = c.residual_factor,
          .mlp_bias = c.mlp_bias};
}

MakeBlock blocks_of(const SoftmaxConfig& c, TensorSource& source) {
  const auto mixer = [&](std::int64_t index, const std::string& name) -> std::shared_ptr<Mixer> {
    return std::make_shared<SoftmaxMixer>(c, c.layers[static_cast<std::size_t>(index)], source,
                                          name);
  };
  return c.is_olmo ? post_norm_blocks(shape_of(c), source, mixer)
                   : pre_norm_blocks(shape_of(c), source, mixer);
}

class SoftmaxLM : public DecoderLM {
 public:
  SoftmaxLM(const SoftmaxConfig& c, TensorSource& source)
      : DecoderLM(shape_of(c), static_cast<std::int64_t>(c.layers.size()), source,
                  blocks_of(c, source)) {
    rotary_.emplace(c.rope, device());
    rotates_in_fp32_ = c.is_olmo;
    if (c.window_rope) window_rotary_.emplace(*c.window_rope, device());
    info_.architecture = c.architecture;
    info_.eos_ids = c.eos_ids;
    info_.max_positions = c.max_positions;
    info_.settings = settings_of(c);
    info_.scales_positions = c.rope.is_scaled() || (c.window_rope && c.window_rope->is_scaled());
  }

  Pass begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const override {
    Pass pass = DecoderLM::begin(positions, tokens);
    if (window_rotary_)
      std::tie(pass.window_cos, pass.window_sin) = window_rotary_->tables(positions, tokens);
    return pass;
  }

 private:
  std::optional<RotaryEmbedding> window_rotary_;
};

}  // namespace

std::shared_ptr<CausalLM> make_softmax(const std::string& family, const nlohmann::json& config,
                                       const std::string& label, TensorSource& source) {
  return std::make_shared<SoftmaxLM>(read_config(config, label, family), source);
}

}  // namespace niah::models
