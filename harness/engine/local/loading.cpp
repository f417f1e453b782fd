#include "harness/engine/local/loading.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "harness/plan/plan.h"
#include "models/checkpoint/adapter_beside.h"
#include "models/checkpoint/checkpoint.h"
#include "models/registry.h"

namespace niah {
namespace {

/// The checkpoints that a model of the sweep reads, each once.
std::set<models::CheckpointPath> checkpoints_of(const ModelConfig& model) {
  std::set<models::CheckpointPath> paths = {model.base};
  if (!model.sft.empty()) paths.insert(model.sft);
  for (const VariantConfig& variant : model.variants)
    if (variant.kind == VariantKind::kCheckpoint) paths.insert(variant.checkpoint);
  return paths;
}

/// Checks that the embeddings have a row for every token of the prompt's frame and of any text.
void require_vocabularies(const WorkList& work) {
  const models::Tokenizer& tokenizer = work.tokenizer();
  const std::string name = work.sweep().tokenizer.string();
  const auto framed =
      work.format().with_bos_policy(tokenizer.encode_prompt(work.format().frame("A", "B")));
  for (const ModelConfig& model : work.sweep().models) {
    if (!has_local_variant(model)) continue;
    for (const models::CheckpointPath& path : checkpoints_of(model)) {
      const models::Checkpoint checkpoint(path);
      const auto meta = models::check_tensors(
          checkpoint, models::override_config(checkpoint.config(), model.override));
      require_vocabulary(tokenizer, name, framed, meta->info().vocab_size, path.text());
    }
  }
}

}  // namespace

std::vector<LoadedVariant> load_all(const WorkList& work, const Machine& machine,
                                    const std::string& tokenizer_sha256) {
  require_vocabularies(work);
  const FingerprintBasis basis{
      tokenizer_sha256.empty() ? work.tokenizer().sha256() : tokenizer_sha256, arithmetic(machine),
      decoding_text(work)};
  std::vector<LoadedVariant> variants;
  for (const ModelConfig& model : work.sweep().models) {
    if (!has_local_variant(model)) continue;
    for (LoadedVariant& variant : load_variants(model, machine.dtype, machine.device, basis))
      variants.push_back(std::move(variant));
  }
  return variants;
}

std::int64_t count_workers(const std::vector<VariantGroup>& groups, const Machine& machine) {
  std::int64_t largest = 0;
  for (const VariantGroup& group : groups)
    largest = std::max(largest, group.front().model->info().hidden_size);
  return count_workers(largest, machine);
}

std::vector<std::string> model_warnings(const std::vector<LoadedVariant>& variants,
                                        const WorkList& work) {
  const std::int64_t longest = work.longest_length();
  std::vector<std::string> warnings;
  const auto add = [&](const std::string& model, const std::string& warning) {
    if (warning.empty()) return;
    // Variants of one model share their config, and so its warnings.
    std::string line = fmt::format("{}: {}", model, warning);
    if (std::find(warnings.begin(), warnings.end(), line) == warnings.end())
      warnings.push_back(std::move(line));
  };
  for (const ModelConfig& model : work.sweep().models)
    for (const models::CheckpointPath& path : checkpoints_of(model))
      add(model.name, models::adapter_beside(path));
  for (const LoadedVariant& variant : variants) {
    for (const std::string& warning : variant.model->info().warnings)
      add(variant.info.model, warning);
    add(variant.info.model, length_warning(variant.model->info(), longest));
  }
  return warnings;
}

}  // namespace niah
