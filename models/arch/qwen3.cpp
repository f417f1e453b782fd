// The model in the order of the forward pass: config, rotary scaling, softmax mixer, model (the
// blocks around the mixers are those of every architecture: decoder.h). Letters: B batch, T tokens
// of this pass, R wanted rows, d hidden size, H/H_kv heads, D head size. Equations: Qwen3, arXiv
// 2505.09388, Qwen2.5, arXiv 2412.15115, and their implementation in transformers. They differ in
// this: Qwen3 normalises queries and keys per head, Qwen2 has biases on q, k and v.
#include "models/arch/qwen3.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/arch/decoder.h"
#include "models/ops/rotary.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

enum class LayerKind { kSoftmax, kSlidingWindow };

struct QwenConfig {
  std::string architecture;
  std::int64_t vocab, d, ff, heads, kv_heads, head_dim;
  std::vector<LayerKind> layers;
  std::int64_t window = 0;
  bool qk_norm, qkv_bias, o_bias, tied;
  double eps, theta;
  std::optional<YarnScaling> yarn;
  double linear_factor = 1;  // positions are divided by it
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

/// The layers whose attention has a window: `layer_types` where it is given, else those from
/// `max_window_layers` on, and only if `use_sliding_window` is set and there is a window.
void read_layers(ConfigReader& reader, QwenConfig& c) {
  const auto count = reader.count("num_hidden_layers", 32);
  const bool windows = reader.boolean("use_sliding_window", false);
  // null says that there is none; left out, it is 4096.
  const bool is_null = reader.has("sliding_window") && reader.is_null("sliding_window");
  const std::int64_t window =
      reader.integer("sliding_window", is_null ? 0 : 4096, 0, ConfigReader::kMaxPositions);
  const std::int64_t first_window =
      reader.integer("max_window_layers", 28, 0, ConfigReader::kMaxPositions);
  for (const std::string& type : reader.text_list("layer_types")) {
    if (type == "full_attention")
      c.layers.push_back(LayerKind::kSoftmax);
    else if (type == "sliding_attention")
      c.layers.push_back(LayerKind::kSlidingWindow);
    else
      reader.refuse(
          "layer_types",
          fmt::format("'{}' is not supported; full_attention and sliding_attention are", type));
  }
  if (c.layers.empty())
    for (std::int64_t i = 0; i < count; ++i)
      c.layers.push_back(windows && !is_null && i >= first_window ? LayerKind::kSlidingWindow
                                                                  : LayerKind::kSoftmax);
  if (static_cast<std::int64_t>(c.layers.size()) != count)
    reader.refuse("layer_types",
                  fmt::format("{} entries for num_hidden_layers = {}", c.layers.size(), count));
  const bool has_window =
      std::count(c.layers.begin(), c.layers.end(), LayerKind::kSlidingWindow) > 0;
  if (!has_window) return;
  if (!windows)
    reader.refuse("layer_types", "it has sliding_attention, but use_sliding_window is not set");
  if (window < 1) reader.refuse("sliding_window", "a positive integer was expected");
  c.window = window;
}

/// What a config says of the rotary embedding.
struct Rope {
  double theta = 0;  ///< 0: not said
  std::optional<YarnScaling> yarn;
  double linear_factor = 1;

  bool operator==(const Rope&) const = default;
};

constexpr double kMostScaling = 1e6;

/// How transformers reads scaling of type yarn.
YarnScaling read_yarn(ConfigReader& rope, std::int64_t max_positions) {
  YarnScaling yarn;
  yarn.original_positions =
      static_cast<double>(rope.positions("original_max_position_embeddings", max_positions));
  yarn.factor = rope.number("factor", static_cast<double>(max_positions) / yarn.original_positions,
                            1, kMostScaling);
  yarn.beta_fast = rope.number("beta_fast", 32, 1e-6, kMostScaling);
  yarn.beta_slow = rope.number("beta_slow", 1, 1e-6, kMostScaling);
  yarn.truncate = rope.boolean("truncate", true);
  const auto scale_of = [&](double mscale) {
    return yarn.factor <= 1 ? 1.0 : 0.1 * mscale * std::log(yarn.factor) + 1;
  };
  const double mscale = rope.number("mscale", 0, 0, kMostScaling);
  const double mscale_all = rope.number("mscale_all_dim", 0, 0, kMostScaling);
  const double usual =
      mscale != 0 && mscale_all != 0 ? scale_of(mscale) / scale_of(mscale_all) : scale_of(1);
  yarn.attention_factor = rope.number("attention_factor", usual, 1e-6, kMostScaling);
  return yarn;
}

/// `rope_scaling`, or `rope_parameters`, as it is called since transformers 5.
Rope read_rope_object(ConfigReader& rope, std::int64_t max_positions) {
  Rope found;
  if (!rope.is_null("rope_theta")) found.theta = rope.number("rope_theta", 0, kMinTheta, kMaxTheta);
  const std::string older = rope.text("type", "default");
  const std::string type = rope.text("rope_type", older);
  rope.must_be("partial_rotary_factor", 1.0, "all of a head is rotated");
  if (type == "yarn")
    found.yarn = read_yarn(rope, max_positions);
  else if (type == "linear")
    found.linear_factor = rope.number("factor", 1, 1, kMostScaling);
  else if (type != "default")
    rope.refuse("rope_type",
                fmt::format("'{}' is not supported; default, linear and yarn are", type));
  rope.finish();
  return found;
}

void read_rope(ConfigReader& reader, const std::string& label, QwenConfig& c) {
  Rope rope;
  bool is_given = false;
  for (const char* field : {"rope_scaling", "rope_parameters"}) {
    if (reader.is_null(field)) continue;
    ConfigReader fields(reader.raw(field), label + ": " + field);
    const Rope found = read_rope_object(fields, c.max_positions);
    if (is_given && found != rope) reader.refuse(field, "it contradicts rope_scaling; remove one");
    rope = found;
    is_given = true;
  }
  if (!reader.is_null("rope_theta")) {
    const double own = reader.number("rope_theta", 0, kMinTheta, kMaxTheta);
    if (rope.theta != 0 && rope.theta != own)
      reader.refuse("rope_theta", fmt::format("{} contradicts the {} beside the rotary scaling; "
                                              "set both, or remove one",
                                              own, rope.theta));
    rope.theta = own;
  }
  c.theta = rope.theta != 0 ? rope.theta : 10000;
  c.yarn = rope.yarn;
  c.linear_factor = rope.linear_factor;
}

QwenConfig read_config(const nlohmann::json& json, const std::string& label, bool is_qwen3) {
  ConfigReader reader(json, label);
  QwenConfig c;
  c.architecture = is_qwen3 ? "qwen3" : "qwen2";
  c.vocab = reader.positive("vocab_size", 151936);
  c.d = reader.positive("hidden_size", 4096);
  c.ff = reader.positive("intermediate_size", 22016);
  c.heads = reader.count("num_attention_heads", 32);
  c.kv_heads =
      reader.count("num_key_value_heads", reader.has("num_key_value_heads") ? c.heads : 32);
  c.head_dim = reader.count("head_dim", is_qwen3 && !reader.has("head_dim") ? 128 : c.d / c.heads);
  read_layers(reader, c);
  c.qk_norm = is_qwen3;
  const bool bias = is_qwen3 && reader.boolean("attention_bias", false);
  c.qkv_bias = !is_qwen3 || bias;
  c.o_bias = bias;
  c.eps = reader.number("rms_norm_eps", 1e-6, 0, 1);
  c.tied = reader.boolean("tie_word_embeddings", false);
  c.max_positions = reader.positions("max_position_embeddings", 32768);
  read_rope(reader, label, c);
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("hidden_act", "silu", "the MLP is SwiGLU");
  reader.must_be("use_mrope", false, "it belongs to a multimodal model");
  reader.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  ignore_bookkeeping(reader);
  reader.finish();
  check_heads(reader, "num_key_value_heads", c.heads, c.kv_heads);
  if (c.head_dim % 2 != 0) reader.refuse("head_dim", "must be even for rotary embedding");
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const QwenConfig& c) {
  std::string scaling = "none";
  if (c.yarn)
    scaling =
        fmt::format("yarn {} of {} positions, beta {} to {}, attention factor {}, truncate {}",
                    c.yarn->factor, c.yarn->original_positions, c.yarn->beta_slow,
                    c.yarn->beta_fast, c.yarn->attention_factor, c.yarn->truncate);
  else if (c.linear_factor != 1)
    scaling = fmt::format("linear {}", c.linear_factor);
  return {{"intermediate_size", fmt::to_string(c.ff)},
          {"num_attention_heads", fmt::to_string(c.heads)},
          {"num_key_value_heads", fmt::to_string(c.kv_heads)},
          {"head_dim", fmt::to_string(c.head_dim)},
          {"attention_bias", fmt::to_string(c.o_bias)},
          {"tie_word_embeddings", fmt::to_string(c.tied)},
          {"rms_norm_eps", fmt::to_string(c.eps)},
          {"sliding_window", fmt::to_string(c.window)},
          {"rope_theta", fmt::to_string(c.theta)},
          {"rope scaling", scaling}};
}

// ----------------------------------------------------------------------------------- softmax mixer

struct SoftmaxMixer : Mixer {
  SoftmaxMixer(const QwenConfig& config, std::int64_t window, TensorSource& source,
               const std::string& name)
      : Mixer(name), c(config), window(window) {
    const auto linear = [&](const char* part, std::int64_t in, std::int64_t out, bool bias) {
      return register_module(part,
                             std::make_shared<Linear>(source, name + "." + part, in, out, bias));
    };
    const auto norm = [&](const char* part) {
      return register_module(
          part, std::make_shared<RmsNorm>(source, name + "." + part, c.head_dim, c.eps));
    };
    q_proj = linear("q_proj", c.d, c.heads * c.head_dim, c.qkv_bias);
    k_proj = linear("k_proj", c.d, c.kv_heads * c.head_dim, c.qkv_bias);
    v_proj = linear("v_proj", c.d, c.kv_heads * c.head_dim, c.qkv_bias);
    o_proj = linear("o_proj", c.heads * c.head_dim, c.d, c.o_bias);
    if (!c.qk_norm) return;
    q_norm = norm("q_norm");
    k_norm = norm("k_norm");
  }

  /// x [B, T, d], normed → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    at::Tensor k = split_heads((*k_proj)(x), c.head_dim);  // [B, H_kv, T, D]
    if (k_norm) k = (*k_norm)(k);
    k = rotate(k, pass);
    const at::Tensor v = split_heads((*v_proj)(x), c.head_dim);  // [B, H_kv, T, D]
    const auto seen = remember(states, {k, v}, window);
    if (rows == 0) return x.narrow(1, 0, 0);

    at::Tensor q = split_heads((*q_proj)(last_rows(x, rows)), c.head_dim);  // [B, H, R, D]
    if (q_norm) q = (*q_norm)(q);
    q = rotate(q, pass);
    const double scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
    return (*o_proj)(merge_heads(attend(q, seen, {scale, window, !states.empty()}, pass)));
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

  QwenConfig c;
  std::int64_t window;  // 0: full attention
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, o_proj;
  std::shared_ptr<RmsNorm> q_norm, k_norm;
};

// ------------------------------------------------------------------------------------------- model

DecoderShape shape_of(const QwenConfig& c) {
  return {.vocab = c.vocab, .d = c.d, .ff = c.ff, .eps = c.eps, .tied = c.tied};
}

class Qwen : public DecoderLM {
 public:
  Qwen(const QwenConfig& config, TensorSource& source)
      : DecoderLM(shape_of(config), static_cast<std::int64_t>(config.layers.size()), source,
                  pre_norm_blocks(
                      shape_of(config), source,
                      [&](std::int64_t index, const std::string& name) -> std::shared_ptr<Mixer> {
                        const bool windowed = config.layers[static_cast<std::size_t>(index)] ==
                                              LayerKind::kSlidingWindow;
                        return std::make_shared<SoftmaxMixer>(config, windowed ? config.window : 0,
                                                              source, name);
                      })),
        c_(config),
        frequencies_((c_.yarn ? yarn_frequencies(c_.theta, c_.head_dim, *c_.yarn)
                              : rotary_frequencies(c_.theta, c_.head_dim) / c_.linear_factor)
                         .to(device())) {
    info_.architecture = c_.architecture;
    info_.eos_ids = c_.eos_ids;
    info_.max_positions = c_.max_positions;
    info_.settings = settings_of(c_);
    info_.scales_positions = c_.yarn || c_.linear_factor > 1;
  }

  Pass begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const override {
    Pass pass{positions, tokens, {}, {}};
    std::tie(pass.cos, pass.sin) = rotary_tables(frequencies_, positions, tokens);
    if (c_.yarn) {
      pass.cos = pass.cos * c_.yarn->attention_factor;
      pass.sin = pass.sin * c_.yarn->attention_factor;
    }
    return pass;
  }

 private:
  QwenConfig c_;
  at::Tensor frequencies_;  // [D/2] fp32
};

}  // namespace

std::shared_ptr<CausalLM> make_qwen3(const nlohmann::json& config, const std::string& label,
                                     TensorSource& source) {
  return std::make_shared<Qwen>(read_config(config, label, /*is_qwen3=*/true), source);
}

std::shared_ptr<CausalLM> make_qwen2(const nlohmann::json& config, const std::string& label,
                                     TensorSource& source) {
  return std::make_shared<Qwen>(read_config(config, label, /*is_qwen3=*/false), source);
}

}  // namespace niah::models
