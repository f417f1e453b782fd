// The model in the order of the forward pass: config, softmax mixer (full or sliding window),
// JetBlock, model (the blocks around the mixers are those of every architecture: decoder.h).
// Letters: B batch, T tokens of this pass, R wanted rows, d hidden size; softmax layers have H/H_kv
// heads of D; JetBlocks have H heads with keys of K and values of V. Equations: Jet-Nemotron, arXiv
// 2508.15884, and its official implementation.
#include "models/arch/jet_nemotron.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/numbers.h"
#include "harness/base/strict_json.h"
#include "harness/base/text.h"
#include "models/arch/blocks.h"
#include "models/ops/delta_rule.h"
#include "models/ops/gate.h"
#include "models/ops/rotary.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

enum class LayerKind { kSoftmax, kSlidingWindow, kJet };

struct JetNemotronConfig {
  std::int64_t vocab, d, ff, heads, kv_heads, head_dim;
  std::vector<LayerKind> layers;
  std::int64_t window = 0;
  std::int64_t jet_heads = 0, key_dim = 0, value_dim = 0, taps = 0, generator_dim = 0;
  double jet_eps = 1e-5;
  double eps, theta;
  bool tied;
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

/// layer_types: a list, or a string that holds a Python list.
std::vector<std::string> read_layer_types(ConfigReader& reader) {
  constexpr const char* kField = "layer_types";
  const nlohmann::json& value = reader.raw(kField);
  if (!value.is_string()) return reader.text_list(kField);
  auto text = value.get<std::string>();
  std::replace(text.begin(), text.end(), '\'', '"');
  try {
    return parse_strict_json(text).get<std::vector<std::string>>();
  } catch (const std::exception&) {  // no JSON, or no list of names
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

/// An epsilon, which the released configs write as a string ("1e-5").
double read_eps(ConfigReader& reader, const char* field, double fallback) {
  const nlohmann::json& value = reader.raw(field);
  if (!value.is_string()) return reader.number(field, fallback, 0, 1);
  const auto text = value.get<std::string>();
  const auto number = parse_number(text, {0, 1});
  if (!number) reader.refuse(field, fmt::format("'{}' is no number from 0 to 1", valid_utf8(text)));
  return *number;
}

/// base * factor, which the reference demands to be a whole number to a relative 1e-5.
std::int64_t whole_product(const ConfigReader& reader, std::int64_t base, double factor) {
  const double product = static_cast<double>(base) * factor;
  const double whole = std::nearbyint(product);
  if (!(whole >= 1) || std::abs(product - whole) > 1e-5 * whole)
    reader.refuse("expand_v", fmt::format("{} times {} is not a whole number", base, factor));
  // As the reference does, which for 96 * 2.6666666667 is the same.
  return static_cast<std::int64_t>(product);
}

void read_jet(const nlohmann::json& json, const std::string& label, JetNemotronConfig& c) {
  ConfigReader reader(json, label + ": efficient_attention_config.jet");
  c.jet_heads = reader.count("num_heads", 6);
  c.key_dim = reader.count("head_dim", 256);
  constexpr double kMostExpansion = 1024;
  const double expand = reader.number("expand_v", 2.0, 0, kMostExpansion);
  c.value_dim = whole_product(reader, c.key_dim, expand);
  whole_product(reader, c.jet_heads * c.key_dim, expand);
  c.taps = reader.positive("conv_size", 4);
  if (c.taps < 2 || c.taps > 4)
    reader.refuse("conv_size", fmt::format("2, 3 or 4 was expected, found {}", c.taps));
  const std::int64_t reduction =
      reader.has("dconv_generator_reduction") && reader.is_null("dconv_generator_reduction")
          ? 1
          : reader.positive("dconv_generator_reduction", 8);
  c.generator_dim = c.jet_heads * c.value_dim / reduction;
  if (c.generator_dim < 1) reader.refuse("dconv_generator_reduction", "leaves no generator");
  c.jet_eps = read_eps(reader, "norm_eps", 1e-5);
  // Which kernel; the same result.
  reader.one_of("mode", "chunk", {"chunk", "fused_recurrent"});
  reader.one_of("dconv_implementation", "triton", {"triton", "naive"});
  reader.finish();
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
  if (has(LayerKind::kJet)) read_jet(part("jet"), label, c);
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
  if (count(LayerKind::kJet) > 0) {
    settings["jet: num_heads"] = fmt::to_string(c.jet_heads);
    settings["jet: head_dim"] = fmt::to_string(c.key_dim);
    settings["jet: value size"] = fmt::to_string(c.value_dim);
    settings["jet: conv_size"] = fmt::to_string(c.taps);
    settings["jet: generator size"] = fmt::to_string(c.generator_dim);
    settings["jet: norm_eps"] = fmt::to_string(c.jet_eps);
  }
  return settings;
}

// ----------------------------------------------------------------------------------- softmax mixer

/// Full attention, or over a window of the last W keys.
struct SoftmaxMixer : Mixer {
  SoftmaxMixer(const JetNemotronConfig& config, std::int64_t window, TensorSource& source,
               const std::string& name)
      : Mixer(name), c(config), window(window) {
    q_proj = add_linear(source, "q_proj", c.d, c.heads * c.head_dim, true);
    k_proj = add_linear(source, "k_proj", c.d, c.kv_heads * c.head_dim, true);
    v_proj = add_linear(source, "v_proj", c.d, c.kv_heads * c.head_dim, true);
    o_proj = add_linear(source, "o_proj", c.heads * c.head_dim, c.d);
  }

  /// x [B, T, d], normed → [B, R, d].
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

// --------------------------------------------------------------------------------------- JetBlock

/// Makes the taps of the value convolution for every token from the token itself.
struct KernelGenerator : torch::nn::Module {
  KernelGenerator(const JetNemotronConfig& c, TensorSource& source, const std::string& name) {
    const std::int64_t kernels = c.jet_heads * c.value_dim * c.taps;
    w1 =
        register_module("w1", std::make_shared<Linear>(source, name + ".w1", c.d, c.generator_dim));
    w2 = register_module(
        "w2", std::make_shared<Linear>(source, name + ".w2", c.generator_dim, kernels, true));
  }
  std::shared_ptr<Linear> w1, w2;
};

struct DynamicConvolution : torch::nn::Module {
  DynamicConvolution(const JetNemotronConfig& c, TensorSource& source, const std::string& name)
      : taps(c.taps) {
    kernel_generator =
        register_module("kernel_generator",
                        std::make_shared<KernelGenerator>(c, source, name + ".kernel_generator"));
  }

  /// values c [B, T, H*V] after `tail` [B, w-1, H*V] → [B, T, H*V]: channel e of token t is
  /// swish(sum_m kernel_t[e, m] c_{t-w+1+m}[e]), the last tap on the token itself.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& c, const at::Tensor& tail) const {
    const KernelGenerator& make = *kernel_generator;
    const at::Tensor kernels =  // [B, T, H*V, w]: channel-major, the taps innermost
        (*make.w2)(swish((*make.w1)(x))).unflatten(-1, {c.size(2), taps});
    const at::Tensor extended = at::cat({tail, c}, 1);
    at::Tensor sum;
    for (std::int64_t m = 0; m < taps; ++m) {
      // Products in the activations' type, their sum in fp32.
      const at::Tensor product =
          (kernels.select(3, m) * extended.narrow(1, m, c.size(1))).to(at::kFloat);
      sum = m == 0 ? product : sum + product;
    }
    return swish(sum.to(c.scalar_type()));
  }

  std::int64_t taps;
  std::shared_ptr<KernelGenerator> kernel_generator;
};

struct JetMixer : Mixer {
  JetMixer(const JetNemotronConfig& config, TensorSource& source, const std::string& name)
      : Mixer(name), c(config) {
    const std::int64_t keys = c.jet_heads * c.key_dim, values = c.jet_heads * c.value_dim;
    q_proj = add_linear(source, "q_proj", c.d, keys);
    k_proj = add_linear(source, "k_proj", c.d, keys);
    v_proj = add_linear(source, "v_proj", c.d, values);
    g_proj = add_linear(source, "g_proj", c.d, values);
    b_proj = add_linear(source, "b_proj", c.d, c.jet_heads);
    a_proj = add_linear(source, "a_proj", c.d, c.jet_heads);
    o_proj = add_linear(source, "o_proj", values, c.d);
    a_log = register_parameter("A_log", source.tensor(name + ".A_log", {c.jet_heads}));
    dt_bias = register_parameter("dt_bias", source.tensor(name + ".dt_bias", {c.jet_heads}));
    dynamic_conv1d = register_module("dynamic_conv1d", std::make_shared<DynamicConvolution>(
                                                           c, source, name + ".dynamic_conv1d"));
    o_norm = register_module(
        "o_norm", std::make_shared<RmsNorm>(source, name + ".o_norm", c.value_dim, c.jet_eps));
  }

  /// x [B, T, d], normed → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const at::Tensor q = unit(split_heads(swish((*q_proj)(x)), c.key_dim), pass.tokens);
    const at::Tensor k = unit(split_heads(swish((*k_proj)(x)), c.key_dim), pass.tokens);
    const at::Tensor v =
        split_heads(convolve(x, states), c.value_dim).to(at::kFloat);              // [B, H, T, V]
    const at::Tensor beta = each_sequence((*b_proj)(x), [](const at::Tensor& b) {  // [B, H, T]
      return at::sigmoid(b).to(at::kFloat).transpose(1, 2);
    });
    const at::Tensor log_decay =  // [B, H, T], <= 0
        each_sequence((*a_proj)(x), [&](const at::Tensor& a) {
          const at::Tensor step = at::softplus(a.to(at::kFloat) + dt_bias.to(at::kFloat));
          return (-at::exp(a_log.to(at::kFloat)) * step).transpose(1, 2);
        });

    const double scale = 1 / std::sqrt(static_cast<double>(c.key_dim));
    const DeltaRuleResult result = gated_delta_rule(q * scale, k, v, log_decay, beta,
                                                    states.joined(&RecurrentState::recurrent));
    states.store(&RecurrentState::recurrent, result.state);
    if (rows == 0) return x.narrow(1, 0, 0);

    const at::Tensor o = result.output.narrow(2, pass.tokens - rows, rows).to(x.scalar_type());
    return (*o_proj)(merge_heads(gated_norm(o, last_rows(x, rows))));
  }

  MixerInfo describe() const override {
    MixerInfo info;
    info.letter = 'J';
    info.name = "JetBlock";
    info.cost =
        linear_cost(c.jet_heads, c.key_dim, c.value_dim, (c.taps - 1) * c.jet_heads * c.value_dim);
    claim(info, {{Part::kQuery, "q_proj"},
                 {Part::kKey, "k_proj"},
                 {Part::kValue, "v_proj"},
                 {Part::kOutput, "o_proj"},
                 {Part::kGate, "g_proj"},
                 {Part::kNorm, "o_norm"},
                 {Part::kConvolution, "dynamic_conv1d"},
                 {Part::kOther, "b_proj"},
                 {Part::kOther, "a_proj"},
                 {Part::kOther, "A_log"},
                 {Part::kOther, "dt_bias"}});
    return info;
  }

  /// x / sqrt(sum x^2 + 1e-6) over the head, in fp32. A pass of several tokens goes through the
  /// reference's chunk kernel, which rounds the result to the activations' type.
  static at::Tensor unit(const at::Tensor& x, std::int64_t tokens) {
    constexpr double kEps = 1e-6;
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor normed = wide * at::rsqrt(wide.square().sum(-1, /*keepdim=*/true) + kEps);
    return tokens == 1 ? normed : normed.to(x.scalar_type()).to(at::kFloat);
  }

  /// The values, convolved over the last w tokens; keeps the tail.
  at::Tensor convolve(const at::Tensor& x, const LayerStates& states) const {
    const at::Tensor values = (*v_proj)(x);  // [B, T, H*V]
    const std::int64_t kept = c.taps - 1;
    at::Tensor tail = states.joined(&RecurrentState::tail);
    if (!tail.defined()) tail = at::zeros({values.size(0), kept, values.size(2)}, values.options());
    if (!states.empty()) {
      const at::Tensor all = at::cat({tail, last_rows(values, std::min(kept, values.size(1)))}, 1);
      states.store(&RecurrentState::tail, last_rows(all, kept).contiguous());
    }
    return (*dynamic_conv1d)(x, values, tail);
  }

  /// RMSNorm over the head, then the gate: all in fp32, rounded once. o [B, H, R, V].
  at::Tensor gated_norm(const at::Tensor& o, const at::Tensor& x) const {
    const at::Tensor gate = split_heads(swish((*g_proj)(x).to(at::kFloat)), c.value_dim);
    const at::Tensor normed =
        at::rms_norm(o.to(at::kFloat), {c.value_dim}, o_norm->weight.to(at::kFloat), c.jet_eps);
    return (normed * gate).to(x.scalar_type());
  }

  JetNemotronConfig c;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, g_proj, b_proj, a_proj, o_proj;
  std::shared_ptr<DynamicConvolution> dynamic_conv1d;
  std::shared_ptr<RmsNorm> o_norm;
  at::Tensor a_log, dt_bias;  // [H]
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
                          return std::make_shared<JetMixer>(config, source, name);
                        const std::int64_t window =
                            kind == LayerKind::kSlidingWindow ? config.window : 0;
                        return std::make_shared<SoftmaxMixer>(config, window, source, name);
                      })),
        c_(config),
        frequencies_(rotary_frequencies(c_.theta, c_.head_dim).to(device())) {
    info_.architecture = "jet_nemotron";
    info_.eos_ids = c_.eos_ids;
    info_.max_positions = c_.max_positions;
    info_.settings = settings_of(c_);
  }

  Pass begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const override {
    Pass pass{positions, tokens, {}, {}};
    std::tie(pass.cos, pass.sin) = rotary_tables(frequencies_, positions, tokens);
    round_tables(pass);
    return pass;
  }

 private:
  JetNemotronConfig c_;
  at::Tensor frequencies_;  // [D/2] fp32
};

}  // namespace

std::shared_ptr<CausalLM> make_jet_nemotron(const nlohmann::json& config, const std::string& label,
                                            TensorSource& source) {
  return std::make_shared<JetNemotron>(read_config(config, label), source);
}

}  // namespace niah::models
