#include "harness/cost/memory_limit.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/memory.h"
#include "harness/base/units.h"
#include "harness/config/restore_place.h"
#include "harness/cost/cell_memory.h"
#include "models/checkpoint/checkpoint.h"
#include "models/device.h"
#include "models/registry.h"
#include "models/surgery/weight_parts.h"

namespace niah {

std::optional<double> memory_limit(const RuntimeConfig& runtime, at::Device device) {
  if (runtime.memory > 0) return static_cast<double>(runtime.memory);
  if (!device.is_cpu()) {
    const auto free = models::free_device_memory(device);
    return free ? std::optional(static_cast<double>(*free)) : std::nullopt;
  }
  const auto left = available_memory();
  if (!left) return std::nullopt;
  return static_cast<double>(*left + resident_memory());
}

double program_memory(const Machine& machine) {
  return machine.device.is_cpu() ? static_cast<double>(resident_memory()) : 0;
}

namespace {

/// Adds one model's variants.
void add_headers(HeaderPrice& price, const ModelConfig& model, at::ScalarType dtype) {
  const auto element = static_cast<double>(c10::elementSize(dtype));
  std::set<models::CheckpointPath> counted;
  const auto open = [&](const models::CheckpointPath& path) {
    const models::Checkpoint checkpoint(path);
    const auto meta = models::check_tensors(
        checkpoint, models::override_config(checkpoint.config(), model.override));
    // An adapter's base is held once, plus a copy of each tensor that the adapter changes.
    const bool is_new_folder = counted.insert(path.folder).second;
    const bool is_new_adapter = path.has_adapter() && counted.insert(path).second;
    for (const auto& item : meta->named_parameters()) {
      const int held =
          (is_new_folder ? 1 : 0) + (is_new_adapter && checkpoint.is_adapted(item.key()) ? 1 : 0);
      price.weights += held * element * static_cast<double>(item.value().numel());
    }
    return meta;
  };
  std::int64_t of_sft = 0;
  std::vector<const VariantConfig*> parts;
  for (const VariantConfig& variant : model.variants) {
    if (variant.kind == VariantKind::kServed) continue;
    const bool restored = variant.kind == VariantKind::kRestored;
    if (restored || variant.kind == VariantKind::kSft) {
      ++of_sft;
      if (variant.restore.method == models::RestoreMethod::kParts) parts.push_back(&variant);
      continue;
    }
    const bool base = variant.kind == VariantKind::kBase;
    price.groups.push_back(group_shape(*open(base ? model.base : variant.checkpoint),
                                       fmt::format("{}: {}", model.name, variant.name), 1, 0,
                                       dtype));
  }
  if (of_sft == 0) return;
  open(model.base);  // for its W_Q and W_K, even if it is no variant
  const auto sft = open(model.sft);
  const auto& mixers = sft->info().mixers;
  const auto softmax = std::find_if(mixers.begin(), mixers.end(),
                                    [](const models::MixerInfo& mixer) { return mixer.attends; });
  std::int64_t shared = softmax - mixers.begin();
  for (const VariantConfig* variant : parts)
    shared = std::min(shared, at_restore_place(*variant, [&] {
                        return models::first_changed_layer(sft->info(), variant->restore);
                      }));
  price.groups.push_back(group_shape(*sft, fmt::format("{}: fine-tuned and restored", model.name),
                                     of_sft, std::min(shared, sft->num_layers() - 1), dtype));
}

}  // namespace

HeaderPrice price_headers(const SweepConfig& sweep, const Machine& machine) {
  HeaderPrice price;
  for (const ModelConfig& model : sweep.models) add_headers(price, model, machine.dtype);
  std::int64_t hidden = 0;
  for (const GroupShape& group : price.groups) hidden = std::max(hidden, group.info.hidden_size);
  price.workers = count_workers(hidden, machine);
  return price;
}

namespace {

std::string describe_parts(const MemoryPrice& price) {
  return fmt::format(
      "weights {}, KV cache {}, states {}, one chunk {}, samples and the program itself {}",
      format_bytes(price.weights), format_bytes(price.cache), format_bytes(price.states),
      format_bytes(price.chunk), format_bytes(price.samples + price.program));
}

}  // namespace

std::int64_t require_memory(const WorkList& work, const Machine& machine) {
  const SweepConfig& sweep = work.sweep();
  const auto limit = memory_limit(sweep.runtime, machine.device);
  if (!limit) return sweep.runtime.mark_memory;
  const double program = program_memory(machine);
  const HeaderPrice headers = price_headers(sweep, machine);
  const auto needs_of = [&](const WorkItem& cell) {
    CellNeeds needs{.chunk = prefill_chunk(sweep.runtime, machine),
                    .marks = 1,
                    .mark_budget = sweep.runtime.mark_memory,
                    .workers = headers.workers};
    if (cell.cell == nullptr) {  // problems are short, and have no nominal length
      for (const Question& question : work.questions(cell)) add_needs(needs, question);
      return needs;
    }
    needs.tokens = cell.length + sweep.generation.max_new_tokens;
    needs.prompt_tokens = cell.length * cell.samples;
    return needs;
  };
  const auto price_of = [&](const GroupShape& group, const CellNeeds& needs) {
    MemoryPrice price = price_cell_memory(group, needs);
    price.program = program;
    price.weights = headers.weights;
    return price;
  };
  std::int64_t fits = 0;
  double most = 0;
  std::string refused;
  for (const WorkItem& cell : work.assignments()) {
    const CellNeeds needs = needs_of(cell);
    for (const GroupShape& group : headers.groups) {
      const MemoryPrice price = price_of(group, needs);
      most = std::max(most, price.total());
      if (price.total() <= *limit) continue;
      if (refused.empty())
        refused =
            fmt::format("{} of {} needs {} ({}), and {} may be used", cell.label, group.name,
                        format_bytes(price.total()), describe_parts(price), format_bytes(*limit));
    }
    if (refused.empty()) fits = std::max(fits, cell.length);
  }
  if (refused.empty())
    return std::min(
        sweep.runtime.mark_memory,
        static_cast<std::int64_t>((*limit - most) / static_cast<double>(headers.workers)));
  const std::string what_fits =
      fits > 0 ? fmt::format("Lengths up to {} fit (--set lengths=[…]).", format_length(fits))
      : headers.weights + program > *limit
          ? fmt::format(
                "The weights alone do not fit: run fewer checkpoints at once{}.",
                machine.dtype == at::kFloat ? ", or halve their size with runtime.dtype: bf16" : "")
          : std::string(
                "Fewer variants, a smaller runtime.prefill_chunk or fewer samples a cell "
                "need less.");
  throw DataError(fmt::format(
      "planning {}: it does not fit in memory: {}. {} runtime.memory_mib sets another limit.",
      sweep.name, refused, what_fits));
}

}  // namespace niah
