#include "harness/config/require_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "harness/base/listed_error.h"
#include "harness/base/path_kind.h"
#include "harness/base/text.h"

namespace niah {
namespace {

constexpr const char* kExpected = "Hugging Face folder with config.json and model.safetensors";

bool needs(const ModelConfig& model, VariantKind kind) {
  return std::any_of(model.variants.begin(), model.variants.end(), [&](const VariantConfig& one) {
    return one.kind == kind || one.kind == VariantKind::kRestored;
  });
}

/// Adds what is missing of a checkpoint.
void add_missing(const ModelConfig& model, const std::string& place,
                 const models::CheckpointPath& path, std::vector<std::string>& missing) {
  const std::string named =
      place.empty() ? fmt::format("model '{}'", valid_utf8(model.name)) : place;
  if (!is_folder(path.folder))
    missing.push_back(fmt::format("{}: no such folder: {}", named, path.folder.string()));
  if (path.has_adapter() && !is_folder(path.adapter))
    missing.push_back(
        fmt::format("{}: no such folder: {} (the adapter)", named, path.adapter.string()));
}

}  // namespace

void require_checkpoints(const SweepConfig& sweep) {
  std::vector<std::string> missing;
  for (const ModelConfig& model : sweep.models) {
    const bool has_tokenizer = !model.base.empty() && sweep.tokenizer == model.base.folder;
    if (needs(model, VariantKind::kBase) || has_tokenizer)
      add_missing(model, model.base_place, model.base, missing);
    if (needs(model, VariantKind::kSft)) add_missing(model, model.sft_place, model.sft, missing);
    for (const VariantConfig& variant : model.variants)
      if (variant.kind == VariantKind::kCheckpoint)
        add_missing(model, variant.checkpoint_place, variant.checkpoint, missing);
  }
  if (missing.empty()) return;
  if (missing.size() == 1)
    throw DataError(fmt::format("{}; a {} was expected", missing.front(), kExpected));
  throw ListedError(
      fmt::format("{} checkpoints of the sweep are not there; a {} was expected for each",
                  missing.size(), kExpected),
      missing);
}

}  // namespace niah
