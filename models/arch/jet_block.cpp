// Letters: B batch, T tokens of this pass, R wanted rows, d hidden size, H heads with keys of K and
// values of V. Equations: Jet-Nemotron, arXiv 2508.15884, and its official implementation.
#include "models/arch/jet_block.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/base/numbers.h"
#include "harness/base/text.h"
#include "models/ops/delta_rule.h"
#include "models/ops/gate.h"

namespace niah::models {
namespace {

/// Computes the taps of the value convolution for every token from the token itself.
struct KernelGenerator : torch::nn::Module {
  KernelGenerator(const JetBlockShape& shape, TensorSource& source, const std::string& name) {
    const std::int64_t kernels = shape.values() * shape.taps;
    w1 = register_module(
        "w1", std::make_shared<Linear>(source, name + ".w1", shape.d, shape.generator_dim));
    w2 = register_module(
        "w2", std::make_shared<Linear>(source, name + ".w2", shape.generator_dim, kernels, true));
  }
  std::shared_ptr<Linear> w1, w2;
};

struct DynamicConvolution : torch::nn::Module {
  DynamicConvolution(const JetBlockShape& shape, TensorSource& source, const std::string& name)
      : taps(shape.taps) {
    kernel_generator = register_module(
        "kernel_generator",
        std::make_shared<KernelGenerator>(shape, source, name + ".kernel_generator"));
  }

  /// Mixer input x [B, T, d] and values c [B, T, H*V], preceded by `tail` [B, w-1, H*V] → [B, T,
  /// H*V]: channel e of token t is swish(sum_m kernel_t[e, m] c_{t-w+1+m}[e]), with w taps, the
  /// last one on the token itself.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& c, const at::Tensor& tail) const {
    const KernelGenerator& make = *kernel_generator;
    const at::Tensor kernels =  // [B, T, H*V, w]
        (*make.w2)(swish((*make.w1)(x))).unflatten(-1, {c.size(2), taps});
    const at::Tensor extended = at::cat({tail, c}, 1);
    at::Tensor sum;
    for (std::int64_t m = 0; m < taps; ++m) {
      // Products are in the activations' type, the sum is in fp32.
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
  JetMixer(const JetBlockShape& shape, TensorSource& source, const std::string& name)
      : Mixer(name), shape(shape) {
    q_proj = add_linear(source, "q_proj", shape.d, shape.keys());
    k_proj = add_linear(source, "k_proj", shape.d, shape.keys());
    v_proj = add_linear(source, "v_proj", shape.d, shape.values());
    g_proj = add_linear(source, "g_proj", shape.d, shape.values());
    b_proj = add_linear(source, "b_proj", shape.d, shape.heads);
    a_proj = add_linear(source, "a_proj", shape.d, shape.heads);
    o_proj = add_linear(source, "o_proj", shape.values(), shape.d);
    a_log = register_parameter("A_log", source.tensor(name + ".A_log", {shape.heads}));
    dt_bias = register_parameter("dt_bias", source.tensor(name + ".dt_bias", {shape.heads}));
    dynamic_conv1d = register_module(
        "dynamic_conv1d",
        std::make_shared<DynamicConvolution>(shape, source, name + ".dynamic_conv1d"));
    o_norm = register_module(
        "o_norm", std::make_shared<RmsNorm>(source, name + ".o_norm", shape.value_dim, shape.eps));
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const at::Tensor q = unit(split_heads(swish((*q_proj)(x)), shape.key_dim), pass.tokens);
    const at::Tensor k = unit(split_heads(swish((*k_proj)(x)), shape.key_dim), pass.tokens);
    const at::Tensor v =
        split_heads(convolve(x, states), shape.value_dim).to(at::kFloat);          // [B, H, T, V]
    const at::Tensor beta = each_sequence((*b_proj)(x), [](const at::Tensor& b) {  // [B, H, T]
      return at::sigmoid(b).to(at::kFloat).transpose(1, 2);
    });
    const at::Tensor log_decay =  // [B, H, T], <= 0
        each_sequence((*a_proj)(x), [&](const at::Tensor& a) {
          const at::Tensor step = at::softplus(a.to(at::kFloat) + dt_bias.to(at::kFloat));
          return (-at::exp(a_log.to(at::kFloat)) * step).transpose(1, 2);
        });

    const double scale = 1 / std::sqrt(static_cast<double>(shape.key_dim));
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
        linear_cost(shape.heads, shape.key_dim, shape.value_dim, (shape.taps - 1) * shape.values());
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

  /// x / sqrt(sum x^2 + 1e-6) over each head, in fp32. For a pass of several tokens the result is
  /// rounded to the activations' type, as the chunk kernel of the reference does.
  static at::Tensor unit(const at::Tensor& x, std::int64_t tokens) {
    constexpr double kEps = 1e-6;
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor normed = wide * at::rsqrt(wide.square().sum(-1, /*keepdim=*/true) + kEps);
    return tokens == 1 ? normed : normed.to(x.scalar_type()).to(at::kFloat);
  }

  /// Projects x to values and convolves them over the last w tokens; keeps the tail in `states`.
  at::Tensor convolve(const at::Tensor& x, const LayerStates& states) const {
    const at::Tensor values = (*v_proj)(x);  // [B, T, H*V]
    const std::int64_t kept = shape.taps - 1;
    at::Tensor tail = states.joined(&RecurrentState::tail);
    if (!tail.defined()) tail = at::zeros({values.size(0), kept, values.size(2)}, values.options());
    if (!states.empty()) {
      const at::Tensor all = at::cat({tail, last_rows(values, std::min(kept, values.size(1)))}, 1);
      states.store(&RecurrentState::tail, last_rows(all, kept).contiguous());
    }
    return (*dynamic_conv1d)(x, values, tail);
  }

  /// norm(o) * swish(gate of x) for o [B, H, R, V], in fp32, rounded once.
  at::Tensor gated_norm(const at::Tensor& o, const at::Tensor& x) const {
    const at::Tensor gate = split_heads(swish((*g_proj)(x).to(at::kFloat)), shape.value_dim);
    const at::Tensor normed =
        at::rms_norm(o.to(at::kFloat), {shape.value_dim}, o_norm->weight.to(at::kFloat), shape.eps);
    return (normed * gate).to(x.scalar_type());
  }

  JetBlockShape shape;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, g_proj, b_proj, a_proj, o_proj;
  std::shared_ptr<DynamicConvolution> dynamic_conv1d;
  std::shared_ptr<RmsNorm> o_norm;
  at::Tensor a_log, dt_bias;  // [H]
};

}  // namespace

std::shared_ptr<Mixer> make_jet_block(const JetBlockShape& shape, TensorSource& source,
                                      const std::string& name) {
  return std::make_shared<JetMixer>(shape, source, name);
}

// ------------------------------------------------------------------------------------------ config

namespace {

/// An epsilon; the released configs write it as a string ("1e-5").
double read_eps(ConfigReader& reader, const char* field, double fallback) {
  const nlohmann::json& value = reader.raw(field);
  if (!value.is_string()) return reader.number(field, fallback, 0, 1);
  const auto text = value.get<std::string>();
  const auto number = parse_number(text, {0, 1});
  if (!number) reader.refuse(field, fmt::format("'{}' is no number from 0 to 1", valid_utf8(text)));
  return *number;
}

/// base * factor, which the reference requires to be a whole number up to a relative error of 1e-5.
std::int64_t whole_product(const ConfigReader& reader, std::int64_t base, double factor) {
  const double product = static_cast<double>(base) * factor;
  const double whole = std::nearbyint(product);
  if (!(whole >= 1) || std::abs(product - whole) > 1e-5 * whole)
    reader.refuse("expand_v", fmt::format("{} times {} is not a whole number", base, factor));
  // Truncated, as in the reference.
  return static_cast<std::int64_t>(product);
}

}  // namespace

JetBlockShape read_jet_block(const nlohmann::json& json, const std::string& label, std::int64_t d) {
  ConfigReader reader(json, label);
  JetBlockShape shape;
  shape.d = d;
  shape.heads = reader.count("num_heads", 6);
  shape.key_dim = reader.count("head_dim", 256);
  constexpr double kMostExpansion = 1024;
  const double expand = reader.number("expand_v", 2.0, 0, kMostExpansion);
  shape.value_dim = whole_product(reader, shape.key_dim, expand);
  whole_product(reader, shape.keys(), expand);
  shape.taps = reader.positive("conv_size", 4);
  if (shape.taps < 2 || shape.taps > 4)
    reader.refuse("conv_size", fmt::format("2, 3 or 4 was expected, found {}", shape.taps));
  const std::int64_t reduction =
      reader.has("dconv_generator_reduction") && reader.is_null("dconv_generator_reduction")
          ? 1
          : reader.positive("dconv_generator_reduction", 8);
  shape.generator_dim = shape.values() / reduction;
  if (shape.generator_dim < 1) reader.refuse("dconv_generator_reduction", "leaves no generator");
  shape.eps = read_eps(reader, "norm_eps", 1e-5);
  // These fields choose a kernel and do not affect the result.
  reader.one_of("mode", "chunk", {"chunk", "fused_recurrent"});
  reader.one_of("dconv_implementation", "triton", {"triton", "naive"});
  reader.finish();
  return shape;
}

void add_settings(std::map<std::string, std::string>& settings, const JetBlockShape& shape) {
  settings["jet: num_heads"] = fmt::to_string(shape.heads);
  settings["jet: head_dim"] = fmt::to_string(shape.key_dim);
  settings["jet: value size"] = fmt::to_string(shape.value_dim);
  settings["jet: conv_size"] = fmt::to_string(shape.taps);
  settings["jet: generator size"] = fmt::to_string(shape.generator_dim);
  settings["jet: norm_eps"] = fmt::to_string(shape.eps);
}

}  // namespace niah::models
