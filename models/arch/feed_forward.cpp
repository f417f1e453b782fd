#include "models/arch/feed_forward.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <utility>

#include "models/ops/gate.h"
#include "models/ops/projection.h"

namespace niah::models {

GatedMlp::GatedMlp(TensorSource& source, const std::string& name, std::int64_t size,
                   std::int64_t width, const GatedNames& names, bool with_bias) {
  const auto linear = [&](const std::string& part, std::int64_t in, std::int64_t out) {
    return register_module(part,
                           std::make_shared<Linear>(source, name + "." + part, in, out, with_bias));
  };
  gate = linear(names.gate, size, width);
  up = linear(names.up, size, width);
  down = linear(names.down, width, size);
}

at::Tensor GatedMlp::operator()(const at::Tensor& x) const {
  return (*down)(silu_product((*gate)(x), (*up)(x)));
}

GatedExperts::GatedExperts(TensorSource& source, const std::string& name, std::int64_t experts,
                           std::int64_t size, std::int64_t width, bool is_fused,
                           const GatedNames& names) {
  const bool has_fused = source.has(name + ".gate_up_proj");
  const bool has_single = source.has(name + ".0." + names.gate + ".weight");
  if (has_fused || (is_fused && !has_single)) {
    gate_up_proj = register_parameter(
        "gate_up_proj", source.tensor(name + ".gate_up_proj", {experts, 2 * width, size}));
    down_proj =
        register_parameter("down_proj", source.tensor(name + ".down_proj", {experts, size, width}));
    return;
  }
  for (std::int64_t i = 0; i < experts; ++i) {
    const std::string number = std::to_string(i);
    each.push_back(register_module(
        number, std::make_shared<GatedMlp>(source, name + "." + number, size, width, names)));
  }
}

at::Tensor GatedExperts::run(std::int64_t expert, const at::Tensor& tokens) const {
  if (!each.empty()) return (*each[static_cast<std::size_t>(expert)])(tokens);
  const at::Tensor both = gate_up_proj[expert], down = down_proj[expert];  // [2f, d], [d, f]
  const std::int64_t width = down.size(1);
  const at::Tensor gate = project(tokens, both.narrow(0, 0, width));
  const at::Tensor up = project(tokens, both.narrow(0, width, width));
  return project(silu_product(gate, up), down);
}

SigmoidRouter::SigmoidRouter(TensorSource& source, const std::string& name, std::int64_t experts,
                             std::int64_t size) {
  weight = register_parameter("weight", source.tensor(name + ".weight", {experts, size}));
  correction = register_parameter("e_score_correction_bias",
                                  source.tensor(name + ".e_score_correction_bias", {experts}));
}

Routing SigmoidRouter::operator()(const at::Tensor& x, const SigmoidRouting& how) const {
  const at::Tensor logits = project(x.to(at::kFloat), weight.to(at::kFloat));
  return route_by_sigmoid(logits, correction.to(at::kFloat), how);
}

void check_routing(const ConfigReader& reader, const SigmoidRouting& routing, std::int64_t experts,
                   const RoutingFields& fields) {
  if (experts % routing.groups != 0)
    reader.refuse(fields.groups,
                  fmt::format("{} does not divide the {} experts", routing.groups, experts));
  if (routing.chosen_groups > routing.groups)
    reader.refuse(fields.chosen_groups,
                  fmt::format("there are {} groups ({}), found {}", routing.groups, fields.groups,
                              routing.chosen_groups));
  const std::int64_t open = experts / routing.groups * routing.chosen_groups;
  if (routing.chosen > open)
    reader.refuse(fields.chosen, fmt::format("a token can choose among {} experts, found {}", open,
                                             routing.chosen));
}

void add_settings(std::map<std::string, std::string>& settings, const SigmoidRouting& routing) {
  settings["experts: a token's"] = fmt::to_string(routing.chosen);
  settings["experts: groups"] = fmt::format("{} of {}", routing.chosen_groups, routing.groups);
  settings["experts: weights"] =
      fmt::format("{}, times {}", routing.normalised ? "of sum 1" : "as scored", routing.scale);
}

std::vector<PartRows> parts_of_mixture(const std::string& prefix,
                                       const torch::nn::Module& mixture) {
  const std::string experts = prefix + ".experts.";
  std::vector<PartRows> parts = parts_of(Part::kMlp, prefix, mixture);
  for (PartRows& part : parts)
    if (part.rows.tensor.starts_with(experts)) part.part = Part::kExpert;
  return parts;
}

NamedPreNormBlock::NamedPreNormBlock(const DecoderShape& shape, const BlockNames& names,
                                     std::shared_ptr<Mixer> the_mixer,
                                     std::shared_ptr<FeedForward> the_feed_forward,
                                     TensorSource& source, const std::string& prefix)
    : names(names), prefix(prefix) {
  const auto norm = [&](const std::string& part) {
    return register_module(part, std::make_shared<RmsNorm>(source, prefix + "." + part, shape.d,
                                                           shape.eps, shape.rounding));
  };
  mixer = register_module(names.mixer, std::move(the_mixer));
  feed_forward = register_module(names.feed_forward, std::move(the_feed_forward));
  mixer_norm = norm(names.mixer_norm);
  feed_forward_norm = norm(names.feed_forward_norm);
}

at::Tensor NamedPreNormBlock::run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                                  std::int64_t rows) const {
  const at::Tensor mixed = mixer->mix((*mixer_norm)(h), states, pass, rows);
  if (rows == 0) return mixed;
  const at::Tensor y = last_rows(h, rows) + mixed;
  return y + (*feed_forward)((*feed_forward_norm)(y));
}

std::vector<PartRows> NamedPreNormBlock::other_parts() const {
  std::vector<PartRows> parts = feed_forward->parts(prefix + "." + names.feed_forward);
  for (const auto& [name, norm] : {std::pair{names.mixer_norm, mixer_norm},
                                   std::pair{names.feed_forward_norm, feed_forward_norm}})
    for (PartRows& rows : parts_of(Part::kNorm, prefix + "." + name, *norm))
      parts.push_back(std::move(rows));
  return parts;
}

}  // namespace niah::models
