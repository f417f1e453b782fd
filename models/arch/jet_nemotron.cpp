// The model in the order of the forward pass: config, softmax mixer (full or sliding window), model
// (the JetBlock is in jet_block.h, the blocks are in blocks.h). Letters: B batch, T tokens of this
// pass, R wanted rows, d hidden size, H/H_kv heads of D. Equations: Jet-Nemotron, arXiv 2508.15884,
// and its official implementation.
#include "models/arch/jet_nemotron.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/strict_json.h"
#include "models/arch/blocks.h"
#include "models/arch/jet_block.h"
#include "models/ops/rotary.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

enum class LayerKind { kSoftmax, kSlidingWindow, kJet };

struct JetNemotronConfig {
  std::int64_t vocab, d, ff, heads, kv_heads, head_dim;
  std::vector<LayerKind> layers;
  std::int64_t window = 0;
  JetBlockShape jet;
  double eps, theta;
  bool tied;
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

/// layer_types: a list, or a string that contains a Python list.
std::vector<std::string> read_layer_types(ConfigReader& reader) {
  constexpr const char* kField = "layer_types";
  const nlohmann::json& value = reader.raw(kField);
  if (!value.is_string()) return reader.text_list(kField);
  auto text = value.get<std::string>();
  std::replace(text.begin(), text.end(), '\'', '"');
  try {
    return parse_strict_json(text).get<std::vector<std::string>>();
  } catch (const std::exception&) {  // not JSON, or not a list of names
    reader.refuse(kField, "the string does not hold a list of names");
  }
}

std::vector<LayerKind> read_layers(ConfigReader& reader) {
  const std::int64_t count = reader.count("num_hidden_layers", 28);
  const auto layers = kinds_of_layers<LayerKind>(
      reader, "layer_types", read_layer_types(reader), count,
      {{"attn", LayerKind::kSoftmax}, {"swa", LayerKind::kSlidingWindow}, {"jet", LayerKind::kJet}},
      "attn, swa and jet");
  if (!layers.empty()) return layers;
  return std::vector(static_cast<std::size_t>(count), LayerKind::kSoftmax);
}

void read_mixers(ConfigReader& reader, const std::string& label, JetNemotronConfig& c) {
  const nlohmann::json mixers = reader.raw("efficient_attention_config");
  const auto has = [&](LayerKind kind) {
    return std::find(c.layers.begin(), c.layers.end(), kind) != c.layers.end();
  };
  const auto part = [&](const char* name) {
    if (mixers.is_object() && mixers.contains(name)) return mixers[name];
    reader.refuse("efficient_attention_config",
                  fmt::format("there are {} layers, but it has no '{}'", name, name));
  };
  if (has(LayerKind::kJet))
    c.jet = read_jet_block(part("jet"), label + ": efficient_attention_config.jet", c.d);
  if (has(LayerKind::kSlidingWindow)) {
    const nlohmann::json swa = part("swa");
    ConfigReader own(swa, label + ": efficient_attention_config.swa");
    if (!own.has("window_size")) own.refuse("window_size", "it is missing");
    c.window = own.positive("window_size", 0, ConfigReader::kMaxPositions);
    own.finish();
  }
  if (!mixers.is_object()) return;
  for (const auto& [name, value] : mixers.items())
    if (name != "jet" && name != "swa")
      reader.refuse("efficient_attention_config",
                    fmt::format("'{}' is not supported; jet and swa are", name));
}

JetNemotronConfig read_config(const nlohmann::json& json, const std::string& label) {
  ConfigReader reader(json, label);
  JetNemotronConfig c;
  c.vocab = reader.positive("vocab_size", 151936);
  c.d = reader.positive("hidden_size", 1536);
  c.ff = reader.positive("intermediate_size", 8960);
  c.layers = read_layers(reader);
  c.heads = reader.count("num_attention_heads", 12);
  c.kv_heads = reader.count("num_key_value_heads", 2);
  c.head_dim = reader.count("head_dim", c.d / c.heads);
  read_mixers(reader, label, c);
  c.eps = reader.number("rms_norm_eps", 1e-6, 0, 1);
  c.theta = read_plain_rope(reader, label, 1e6);
  c.tied = reader.boolean("tie_word_embeddings", true);
  c.max_positions = reader.positions("max_position_embeddings", 0);
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("hidden_act", "silu", "the MLP is SwiGLU");
  reader.must_be("use_mrope", false, "it belongs to a multimodal model");
  reader.must_be("use_sliding_window", false, "layer_types says which layers have a window");
  ignore_bookkeeping(reader);
  reader.without_effect({"max_window_layers", "sliding_window"});
  reader.finish();
  check_heads(reader, "num_key_value_heads", c.heads, c.kv_heads);
  if (c.head_dim % 2 != 0) reader.refuse("head_dim", "must be even for rotary embedding");
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const JetNemotronConfig& c) {
  std::map<std::string, std::string> settings = {{"rms_norm_eps", fmt::to_string(c.eps)},
                                                 {"tie_word_embeddings", fmt::to_string(c.tied)},
                                                 {"intermediate_size", fmt::to_string(c.ff)}};
  const auto count = [&](LayerKind kind) {
    return std::count(c.layers.begin(), c.layers.end(), kind);
  };
  if (count(LayerKind::kSoftmax) + count(LayerKind::kSlidingWindow) > 0) {
    settings["num_attention_heads"] = fmt::to_string(c.heads);
    settings["num_key_value_heads"] = fmt::to_string(c.kv_heads);
    settings["head_dim"] = fmt::to_string(c.head_dim);
    settings["rope_theta"] = fmt::to_string(c.theta);
    settings["window_size"] = fmt::to_string(c.window);
  }
  if (count(LayerKind::kJet) > 0) add_settings(settings, c.jet);
  return settings;
}

// ----------------------------------------------------------------------------------- softmax mixer

/// Full or sliding-window attention.
struct SoftmaxMixer : Mixer {
  SoftmaxMixer(const JetNemotronConfig& config, std::int64_t window, TensorSource& source,
               const std::string& name)
      : Mixer(name), c(config), window(window) {
    q_proj = add_linear(source, "q_proj", c.d, c.heads * c.head_dim, true);
    k_proj = add_linear(source, "k_proj", c.d, c.kv_heads * c.head_dim, true);
    v_proj = add_linear(source, "v_proj", c.d, c.kv_heads * c.head_dim, true);
    o_proj = add_linear(source, "o_proj", c.heads * c.head_dim, c.d);
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const at::Tensor k = rotate(split_heads((*k_proj)(x), c.head_dim), pass);  // [B, H_kv, T, D]
    const at::Tensor v = split_heads((*v_proj)(x), c.head_dim);                // [B, H_kv, T, D]
    const auto seen = remember(states, {k, v}, window);
    if (rows == 0) return x.narrow(1, 0, 0);

    const at::Tensor q =  // [B, H, R, D]
        rotate(split_heads((*q_proj)(last_rows(x, rows)), c.head_dim), pass);
    const double scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
    return (*o_proj)(merge_heads(attend(q, seen, {scale, window, !states.empty()}, pass)));
  }

  MixerInfo describe() const override {
    MixerInfo info = softmax_info(c.heads, c.kv_heads, c.head_dim, window);
    claim(info, {{Part::kQuery, "q_proj"},
                 {Part::kKey, "k_proj"},
                 {Part::kValue, "v_proj"},
                 {Part::kOutput, "o_proj"}});
    return info;
  }

  JetNemotronConfig c;
  std::int64_t window;  // 0: full attention
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, o_proj;
};

// ------------------------------------------------------------------------------------------- model

DecoderShape shape_of(const JetNemotronConfig& c) {
  return {.vocab = c.vocab,
          .d = c.d,
          .ff = c.ff,
          .eps = c.eps,
          .rounding = NormRounding::kAfterWeight,
          .tied = c.tied};
}

class JetNemotron : public DecoderLM {
 public:
  JetNemotron(const JetNemotronConfig& config, TensorSource& source)
      : DecoderLM(shape_of(config), static_cast<std::int64_t>(config.layers.size()), source,
                  pre_norm_blocks(
                      shape_of(config), source,
                      [&](std::int64_t index, const std::string& name) -> std::shared_ptr<Mixer> {
                        const LayerKind kind = config.layers[static_cast<std::size_t>(index)];
                        if (kind == LayerKind::kJet)
                          return make_jet_block(config.jet, source, name);
                        const std::int64_t window =
                            kind == LayerKind::kSlidingWindow ? config.window : 0;
                        return std::make_shared<SoftmaxMixer>(config, window, source, name);
                      })) {
    rotary_.emplace(Rope{.theta = config.theta, .width = config.head_dim}, device());
    info_.architecture = "jet_nemotron";
    info_.eos_ids = config.eos_ids;
    info_.max_positions = config.max_positions;
    info_.settings = settings_of(config);
  }
};

}  // namespace

std::shared_ptr<CausalLM> make_jet_nemotron(const nlohmann::json& config, const std::string& label,
                                            TensorSource& source) {
  return std::make_shared<JetNemotron>(read_config(config, label), source);
}

}  // namespace niah::models
