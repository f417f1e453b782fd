#include "models/arch/mamba2.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/nn/module.h>

#include <algorithm>

#include "models/ops/gate.h"
#include "models/ops/mamba2.h"
#include "models/ops/projection.h"

namespace niah::models {

Mamba2Mixer::Mamba2Mixer(const Mamba2Shape& shape, TensorSource& source, const std::string& name)
    : Mixer(name), shape(shape) {
  const std::int64_t inner = shape.inner();
  const auto parameter = [&](const char* part, std::int64_t size) {
    return register_parameter(part, source.tensor(name + "." + part, {size}));
  };
  in_proj =
      add_linear(source, "in_proj", shape.d, inner + shape.channels() + shape.heads, shape.in_bias);
  conv1d = register_module(
      "conv1d", std::make_shared<ShortConvolution>(source, name + ".conv1d", shape.channels(),
                                                   shape.taps, shape.conv_bias));
  a_log = parameter("A_log", shape.heads);
  skip = parameter("D", shape.heads);
  dt_bias = parameter("dt_bias", shape.heads);
  if (shape.gate != Mamba2Gate::kAlone) {
    const auto module = register_module("norm", std::make_shared<torch::nn::Module>("norm"));
    norm = module->register_parameter("weight", source.tensor(name + ".norm.weight", {inner}));
  }
  out_proj = add_linear(source, "out_proj", inner, shape.d, shape.out_bias);
}

/// x [B, T, d] → [B, R, d].
at::Tensor Mamba2Mixer::mix(const at::Tensor& x, const LayerStates& states, const Pass&,
                            std::int64_t rows) const {
  const at::Tensor y = scan(x, states, rows);  // [B, H, R, P] fp32
  if (rows == 0) return x.narrow(1, 0, 0);
  return (*out_proj)(gated(merge_heads(y), last_rows(x, rows)));
}

/// Applies `count` rows of the input projection from `first` on. Done in parts, because z is needed
/// for the last positions only.
at::Tensor Mamba2Mixer::project_in(const at::Tensor& x, std::int64_t first,
                                   std::int64_t count) const {
  return project(x, in_proj->weight.narrow(0, first, count),
                 in_proj->bias.defined() ? in_proj->bias.narrow(0, first, count) : at::Tensor());
}

namespace {

at::Tensor times(const at::Tensor& x, double factor) { return factor == 1 ? x : x * factor; }

}  // namespace

/// Projects to x, B and C, which go through the convolution, and to dt, the input of the step
/// sizes.
std::pair<at::Tensor, at::Tensor> Mamba2Mixer::split_input(const at::Tensor& x) const {
  const std::int64_t inner = shape.inner(), shared = shape.groups * shape.state;
  const at::Tensor all = project_in(x, inner, shape.channels() + shape.heads);
  const auto& f = shape.factors;
  if (std::all_of(f.begin() + 1, f.end(), [](double factor) { return factor == 1; }))
    return {all.narrow(-1, 0, shape.channels()), all.narrow(-1, shape.channels(), shape.heads)};
  const auto parts = all.split_with_sizes({inner, shared, shared, shape.heads}, -1);
  return {at::cat({times(parts[0], f[1]), times(parts[1], f[2]), times(parts[2], f[3])}, -1),
          times(parts[3], f[4])};
}

at::Tensor Mamba2Mixer::scan(const at::Tensor& x, const LayerStates& states,
                             std::int64_t rows) const {
  const std::int64_t inner = shape.inner(), shared = shape.groups * shape.state;
  const auto [convolved, raw_step] = split_input(x);
  const at::Tensor step =  // [B, H, T]
      each_sequence(raw_step, [&](const at::Tensor& dt) {
        return at::softplus(dt.to(at::kFloat) + dt_bias.to(at::kFloat));
      }).transpose(1, 2);
  const at::Tensor log_decay = -at::exp(a_log.to(at::kFloat)).unsqueeze(-1) * step;

  const auto mixed = swish((*conv1d)(convolved, states))
                         .to(at::kFloat)
                         .split_with_sizes({inner, shared, shared}, -1);
  const at::Tensor values = split_heads(mixed[0], shape.head_dim);  // [B, H, T, P]
  const Mamba2Result result =
      mamba2(values, step, log_decay, split_heads(mixed[1], shape.state),
             split_heads(mixed[2], shape.state), states.joined(&RecurrentState::recurrent));
  states.store(&RecurrentState::recurrent, result.state);
  const auto last = [&](const at::Tensor& all) { return all.narrow(2, all.size(2) - rows, rows); };
  const at::Tensor skipped = last(values) * skip.to(at::kFloat).view({1, -1, 1, 1});
  return last(result.output) + skipped;
}

at::Tensor Mamba2Mixer::gated(const at::Tensor& y, const at::Tensor& x) const {
  const at::Tensor z = times(project_in(x, 0, shape.inner()), shape.factors[0]);
  const at::Tensor gate = swish(z.to(at::kFloat));
  const auto normed = [&](const at::Tensor& all) {
    const std::int64_t size = shape.inner() / shape.groups;
    const at::Tensor groups = all.unflatten(-1, {shape.groups, size});
    return at::rms_norm(groups, {size}, {}, shape.eps).flatten(-2) * norm.to(at::kFloat);
  };
  switch (shape.gate) {
    case Mamba2Gate::kAlone:
      return (y * gate).to(x.scalar_type());
    case Mamba2Gate::kThenNorm:
      return normed(y * gate).to(x.scalar_type());
    case Mamba2Gate::kAfterNorm:
      return (normed(y) * gate).to(x.scalar_type());
  }
  return {};
}

MixerInfo Mamba2Mixer::describe() const {
  MixerInfo info;
  info.letter = 'M';
  info.name = "Mamba-2";
  info.cost =
      linear_cost(shape.heads, shape.state, shape.head_dim, (shape.taps - 1) * shape.channels());
  const std::int64_t shared = shape.groups * shape.state;
  std::int64_t first = 0;
  for (const auto& [part, rows] :
       {std::pair{Part::kGate, shape.inner()}, std::pair{Part::kValue, shape.inner()},
        std::pair{Part::kKey, shared}, std::pair{Part::kQuery, shared},
        std::pair{Part::kOther, shape.heads}}) {
    claim_rows(info, part, "in_proj", {"", first, rows, rows, 1});
    first += rows;
  }
  claim(info, {{Part::kConvolution, "conv1d"},
               {Part::kOther, "A_log"},
               {Part::kOther, "D"},
               {Part::kOther, "dt_bias"},
               {Part::kNorm, "norm"},
               {Part::kOutput, "out_proj"}});
  return info;
}

// ------------------------------------------------------------------------------------------ config

std::int64_t read_mamba2_inner(ConfigReader& reader, std::int64_t d) {
  return reader.count("mamba_expand", 2) * d;
}

Mamba2Shape read_mamba2(ConfigReader& reader, std::int64_t d, std::int64_t inner) {
  Mamba2Shape shape;
  shape.d = d;
  shape.heads = reader.count("mamba_n_heads", 128);
  const bool automatic = reader.raw("mamba_d_head") == "auto";
  shape.head_dim =
      automatic ? inner / shape.heads : reader.positive("mamba_d_head", inner / shape.heads);
  shape.groups = reader.count("mamba_n_groups", 1);
  shape.state = reader.positive("mamba_d_state", 256);
  shape.taps = reader.count("mamba_d_conv", 4);
  shape.conv_bias = reader.boolean("mamba_conv_bias", true);
  if (shape.inner() != inner)
    reader.refuse("mamba_d_head", fmt::format("mamba_n_heads ({}) times {} is not the mixer's "
                                              "width, which is {}",
                                              shape.heads, shape.head_dim, inner));
  check_mamba2(reader, shape, "mamba_n_groups");
  reader.must_be("mamba_hidden_act", "silu", "the convolution is followed by silu");
  refuse_step_limit(reader);
  reader.without_effect({"mamba_chunk_size"});
  return shape;
}

void check_mamba2(const ConfigReader& reader, const Mamba2Shape& shape, const char* groups_field) {
  if (shape.heads % shape.groups != 0)
    reader.refuse(groups_field, fmt::format("{} does not divide the {} heads of the Mamba-2 mixers",
                                            shape.groups, shape.heads));
  if (shape.channels() > ConfigReader::kMaxSize)
    reader.refuse(groups_field, fmt::format("the Mamba-2 mixers would have {} channels; up to {} "
                                            "were expected",
                                            shape.channels(), ConfigReader::kMaxSize));
}

namespace {

/// JSON cannot express infinity. transformers writes an object, others a string (to which the bare
/// word is converted on reading, see parse_config_file) or a number that no step reaches.
bool is_infinite(const nlohmann::json& value) {
  constexpr double kUnreachable = 1e30;
  if (value.is_object() && value.size() == 1 && value.contains("__float__"))
    return is_infinite(value["__float__"]);
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    return text == "Infinity" || text == "inf" || text == "+inf" || text == "+Infinity";
  }
  return value.is_number() && value.get<double>() >= kUnreachable;
}

}  // namespace

void refuse_step_limit(ConfigReader& reader) {
  constexpr const char* kField = "time_step_limit";
  reader.without_effect({"time_step_min", "time_step_max", "time_step_floor"});
  const nlohmann::json& limit = reader.raw(kField);
  if (limit.is_null()) return;
  const bool open = limit.is_array() && limit.size() == 2 && limit[0].is_number() &&
                    limit[0].get<double>() == 0 && is_infinite(limit[1]);
  if (!open)
    reader.refuse(kField,
                  "only (0, infinity) is supported, written as [0.0, Infinity] or "
                  "[0.0, {\"__float__\": \"Infinity\"}]");
}

void add_settings(std::map<std::string, std::string>& settings, const Mamba2Shape& shape) {
  constexpr std::array<const char*, 3> kGates = {"no norm", "before the norm", "after the norm"};
  settings["mamba: heads"] = fmt::to_string(shape.heads);
  settings["mamba: head size"] = fmt::to_string(shape.head_dim);
  settings["mamba: groups"] = fmt::to_string(shape.groups);
  settings["mamba: state size"] = fmt::to_string(shape.state);
  settings["mamba: convolution taps"] = fmt::to_string(shape.taps);
  settings["mamba: convolution bias"] = fmt::to_string(shape.conv_bias);
  settings["mamba: input bias"] = fmt::to_string(shape.in_bias);
  settings["mamba: output bias"] = fmt::to_string(shape.out_bias);
  settings["mamba: gate"] = kGates.at(static_cast<std::size_t>(shape.gate));
  settings["mamba: norm eps"] =
      shape.gate == Mamba2Gate::kAlone ? "none" : fmt::to_string(shape.eps);
  settings["mamba: factors"] = fmt::format("{}", fmt::join(shape.factors, ", "));
}

}  // namespace niah::models
