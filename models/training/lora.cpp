#include "models/training/lora.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/text.h"
#include "models/arch/layers.h"
#include "models/checkpoint/adapter_config.h"
#include "models/training/held_rows.h"
#include "models/weights.h"

namespace niah::models {
namespace {

const std::string kWeight = ".weight";

/// How many rows of each tensor are adapted.
using RowCounts = std::map<std::string, std::int64_t>;

bool is_of_mixer_or_mlp(const PlacedPart& placed) {
  return placed.in_mixer || placed.rows.part == Part::kMlp;
}

RowCounts adapted_rows(const ModelInfo& info, const std::set<WeightPart>& parts) {
  RowCounts rows;
  if (!parts.empty()) {
    for (const PartRows& part : rows_of_model(info, parts))
      rows[part.rows.tensor] += part.rows.count();
    return rows;
  }
  for (const auto& [tensor, all] : parts_by_tensor(info))
    for (const PlacedPart& placed : all)
      if (is_of_mixer_or_mlp(placed)) rows[tensor] += placed.rows.rows.count();
  return rows;
}

/// The projections, by the names of their modules, all of whose rows are to be adapted.
std::vector<std::pair<std::string, at::Tensor>> adapted_projections(
    const CausalLM& model, const std::set<WeightPart>& parts) {
  const RowCounts rows = adapted_rows(model.info(), parts);
  std::vector<std::pair<std::string, at::Tensor>> projections;
  for (const auto& item : model.named_modules(/*name_prefix=*/"", /*include_self=*/false)) {
    const auto* projection = dynamic_cast<const Linear*>(item.value().get());
    const auto found = rows.find(item.key() + kWeight);
    if (projection == nullptr || found == rows.end()) continue;
    if (found->second != projection->weight.size(0))
      throw UsageError(fmt::format(
          "training: '{}' also holds rows of other parts than those that are to be adapted, and a "
          "low-rank change is one of all rows; name those parts, too, or leave out `parts`",
          found->first));
    projections.emplace_back(item.key(), projection->weight);
  }
  if (projections.empty())
    throw UsageError("training: the model has no projection that could be adapted");
  return projections;
}

}  // namespace

LoraFactors::LoraFactors(const CausalLM& model, const LoraOptions& options, std::uint64_t seed)
    : options_(options),
      scale_(static_cast<double>(options.alpha) / static_cast<double>(options.rank)) {
  const at::NoGradGuard no_grad;
  for (const at::Tensor& parameter : model.parameters()) parameter.set_requires_grad(false);
  at::Generator generator = at::detail::createCPUGenerator(seed);
  for (const auto& [module, weight] : adapted_projections(model, options.parts)) {
    const std::int64_t in = weight.size(1);
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    weight.set_requires_grad(true);
    adapted_.push_back(
        {module, weight, weight.detach().clone(),
         at::empty({options.rank, in}, at::kFloat).uniform_(-bound, bound, generator),
         at::zeros({weight.size(0), options.rank}, at::kFloat)});
  }
}

std::vector<std::pair<std::string, at::Tensor>> LoraFactors::tensors() const {
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (const Adapted& adapted : adapted_) {
    const std::string name = std::string(kAdapterPrefix) + adapted.module;
    all.emplace_back(name + ".lora_A.weight", adapted.a);
    all.emplace_back(name + ".lora_B.weight", adapted.b);
  }
  return all;
}

void LoraFactors::take_gradients() {
  const at::NoGradGuard no_grad;
  for (const Adapted& adapted : adapted_) {
    const at::Tensor gradient = adapted.weight.grad();
    if (!gradient.defined()) continue;
    adapted.a.mutable_grad() = at::mm(adapted.b.t(), gradient).mul_(scale_);
    adapted.b.mutable_grad() = at::mm(gradient, adapted.a.t()).mul_(scale_);
    adapted.weight.mutable_grad() = at::Tensor();
  }
}

void LoraFactors::update_model() {
  const at::NoGradGuard no_grad;
  for (const Adapted& adapted : adapted_)
    adapted.weight.copy_(adapted.before).addmm_(adapted.b, adapted.a, 1, scale_);
}

void LoraFactors::write(const std::filesystem::path& folder, const std::filesystem::path& base,
                        const std::map<std::string, std::string>& metadata) const {
  WeightMap factors;
  for (const auto& [name, tensor] : tensors()) factors.emplace(name, tensor);
  save_weights(folder / kAdapterWeights, factors, metadata);
  std::vector<std::string> modules;
  for (const Adapted& adapted : adapted_) modules.push_back(adapted.module);
  const nlohmann::ordered_json config = {{"peft_type", "LORA"},
                                         {"task_type", "CAUSAL_LM"},
                                         {"base_model_name_or_path", valid_utf8(base.string())},
                                         {"r", options_.rank},
                                         {"lora_alpha", options_.alpha},
                                         {"lora_dropout", 0.0},
                                         {"target_modules", modules},
                                         {"bias", "none"},
                                         {"use_rslora", false},
                                         {"fan_in_fan_out", false},
                                         {"inference_mode", true}};
  write_file(folder / kAdapterConfig, config.dump(2) + "\n");
}

}  // namespace niah::models
