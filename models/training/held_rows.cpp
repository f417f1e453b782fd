#include "models/training/held_rows.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "harness/base/error.h"
#include "models/surgery/restore.h"
#include "models/surgery/weight_parts.h"
#include "models/training/trainer.h"

namespace niah::models {
namespace {

RestoreOptions these(std::set<WeightPart> parts) {
  return {.method = RestoreMethod::kParts, .parts = std::move(parts)};
}

/// The names of the parts that the model has.
std::vector<std::string> part_names_of(const ModelInfo& info) {
  std::vector<std::string> names = weight_part_names();
  std::erase_if(names, [&](const auto& name) { return !has_part(info, parse_weight_part(name)); });
  return names;
}

}  // namespace

std::vector<PartRows> rows_of_model(const ModelInfo& info, const std::set<WeightPart>& parts) {
  for (const WeightPart part : parts)
    if (!has_part(info, part))
      throw UsageError(fmt::format("training: the model has no part '{}'; there are: {}",
                                   weight_part_name(part), fmt::join(part_names_of(info), ", ")));
  return rows_of_parts(info, these(parts));
}

bool are_all_parts(const ModelInfo& info, const std::set<WeightPart>& parts) {
  return std::ranges::all_of(part_names_of(info), [&](const std::string& name) {
    return parts.contains(parse_weight_part(name));
  });
}

HeldRows::HeldRows(const CausalLM& model, const std::set<WeightPart>& parts) {
  if (parts.empty()) return;
  const at::NoGradGuard no_grad;
  const WeightMap weights = parameters_of(model);
  for (const PartRows& part : rows_of_model(model.info(), parts)) {
    const at::Tensor& parameter = weights.at(part.rows.tensor);
    held_.push_back({parameter, part.rows, view_rows(parameter, part.rows).clone()});
  }
}

void HeldRows::clear_gradients() {
  for (const Held& held : held_)
    if (held.parameter.grad().defined()) view_rows(held.parameter.grad(), held.rows).zero_();
}

void HeldRows::put_back() {
  const at::NoGradGuard no_grad;
  for (const Held& held : held_) view_rows(held.parameter, held.rows).copy_(held.values);
}

std::vector<std::pair<std::string, double>> part_drift(const CausalLM& model,
                                                       const WeightMap& before) {
  const at::NoGradGuard no_grad;
  const WeightMap after = parameters_of(model);
  std::vector<std::pair<std::string, double>> drift;
  for (const std::string& name : part_names_of(model.info())) {
    double moved = 0, norm = 0;
    for (const PartRows& part : rows_of_parts(model.info(), these({parse_weight_part(name)}))) {
      const at::Tensor old = view_rows(before.at(part.rows.tensor), part.rows).to(at::kDouble);
      const at::Tensor now = view_rows(after.at(part.rows.tensor), part.rows).to(at::kDouble);
      moved += (now - old).square().sum().item<double>();
      norm += old.square().sum().item<double>();
    }
    if (norm > 0) drift.emplace_back(name, std::sqrt(moved / norm));
  }
  return drift;
}

}  // namespace niah::models
