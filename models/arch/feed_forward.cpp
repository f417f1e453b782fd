#include "models/arch/feed_forward.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/nn/module.h>

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

at::Tensor gated_product(const at::Tensor& x, const at::Tensor& gate_up, const at::Tensor& down) {
  const std::int64_t width = down.size(1);
  const at::Tensor gate = project(x, gate_up.narrow(0, 0, width));
  return project(silu_product(gate, project(x, gate_up.narrow(0, width, width))), down);
}

at::Tensor mix_gated_experts(const at::Tensor& x, const Routing& routing, const at::Tensor& gate_up,
                             const at::Tensor& down) {
  const std::int64_t experts = gate_up.size(0), width = down.size(2);
  if (has_grouped_products(x, gate_up) && has_grouped_products(x, down))
    return mix_grouped_experts(
        x, routing, experts, [&](const at::Tensor& tokens, const at::Tensor& ends) {
          const at::Tensor both = grouped_product(tokens, gate_up, ends);
          return grouped_product(
              silu_product(both.narrow(1, 0, width), both.narrow(1, width, width)), down, ends);
        });
  return mix_experts(x, routing, experts, [&](std::int64_t expert, const at::Tensor& tokens) {
    return gated_product(tokens, gate_up[expert], down[expert]);
  });
}

GatedExperts::GatedExperts(TensorSource& source, const std::string& name, std::int64_t experts,
                           std::int64_t size, std::int64_t width, bool is_fused,
                           const GatedNames& names)
    : count(experts) {
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

at::Tensor GatedExperts::operator()(const at::Tensor& x, const Routing& routing) const {
  if (each.empty()) return mix_gated_experts(x, routing, gate_up_proj, down_proj);
  return mix_experts(x, routing, count, [&](std::int64_t expert, const at::Tensor& tokens) {
    return (*each[static_cast<std::size_t>(expert)])(tokens);
  });
}

SharedExpertMixture::SharedExpertMixture(const SharedExpertShape& shape, TensorSource& source,
                                         const std::string& name)
    : shape(shape) {
  gate = register_module("gate",
                         std::make_shared<Linear>(source, name + ".gate", shape.d, shape.experts));
  experts = register_module(
      "experts", std::make_shared<GatedExperts>(source, name + ".experts", shape.experts, shape.d,
                                                shape.ff, shape.is_fused));
  shared_expert = register_module(
      "shared_expert",
      std::make_shared<GatedMlp>(source, name + ".shared_expert", shape.d, shape.shared_ff));
  shared_expert_gate =
      register_module("shared_expert_gate",
                      std::make_shared<Linear>(source, name + ".shared_expert_gate", shape.d, 1));
}

std::vector<PartRows> SharedExpertMixture::parts(const std::string& prefix) const {
  return parts_of_mixture(prefix, *this);
}

at::Tensor SharedExpertMixture::operator()(const at::Tensor& x) const {
  const Routing routing =
      route_by_softmax((*gate)(x), shape.chosen, shape.normalises, x.scalar_type());
  const at::Tensor mixed = (*experts)(x, routing);
  const at::Tensor share = each_sequence((*shared_expert_gate)(x),
                                         [](const at::Tensor& one) { return at::sigmoid(one); });
  return mixed + share * (*shared_expert)(x);
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

void add_settings(std::map<std::string, std::string>& settings, const SharedExpertShape& shape) {
  settings["num_experts"] = fmt::to_string(shape.experts);
  settings["num_experts_per_tok"] = fmt::to_string(shape.chosen);
  settings["moe_intermediate_size"] = fmt::to_string(shape.ff);
  settings["shared_expert_intermediate_size"] = fmt::to_string(shape.shared_ff);
  settings["norm_topk_prob"] = fmt::to_string(shape.normalises);
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

}  // namespace niah::models
