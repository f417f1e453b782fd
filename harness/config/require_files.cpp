#include "harness/config/require_files.h"

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

/// What is missing of the sweep's checkpoints.
std::vector<std::string> missing_checkpoints(const SweepConfig& sweep) {
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
  return missing;
}

/// What else is missing of the files and folders that the sweep names.
std::vector<std::string> missing_others(const SweepConfig& sweep) {
  std::vector<std::string> missing;
  const auto require = [&](const std::filesystem::path& path) {
    const auto place = sweep.places.find(path);
    if (place != sweep.places.end() && !is_there(path))
      missing.push_back(
          fmt::format("{}: no such file or folder: {}", place->second, path.string()));
  };
  require(sweep.haystack.path);
  for (const tasks::SampleFile& file : sweep.sample_files) require(file.path);
  for (const ReasoningConfig& set : sweep.reasoning) require(set.path);
  require(sweep.tokenizer);
  return missing;
}

}  // namespace

void require_files(const SweepConfig& sweep) {
  std::vector<std::string> missing = missing_checkpoints(sweep);
  const std::size_t checkpoints = missing.size();
  const std::vector<std::string> others = missing_others(sweep);
  missing.insert(missing.end(), others.begin(), others.end());
  if (missing.empty()) return;
  const std::string expected =
      checkpoints == 0 ? "" : fmt::format("; a {} was expected", kExpected);
  if (missing.size() == 1) throw DataError(missing.front() + expected);
  if (others.empty())
    throw ListedError(fmt::format("{} checkpoints of the sweep are not there{} for each",
                                  missing.size(), expected),
                      missing);
  throw ListedError(fmt::format("{} files and folders of the sweep are not there{}", missing.size(),
                                checkpoints == 0 ? "" : expected + " for a checkpoint"),
                    missing);
}

}  // namespace niah
