#include "harness/engine/local/loaded_variants.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "harness/config/restore_place.h"
#include "harness/plan/plan.h"
#include "harness/version.h"
#include "models/checkpoint/checkpoint.h"
#include "models/decode/prefix_reader.h"
#include "models/device.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "models/surgery/restore.h"

namespace niah {
namespace {

/// A checkpoint in memory.
struct Source {
  models::CheckpointPath path;
  nlohmann::json config;
  models::ModelInfo info;
  models::WeightMap weights;  ///< only those that the model uses
  std::string sha256;
};

/// Reads the checkpoints of one model. A folder's tensors are held once, however many adapters are
/// on top of it: each adds only the tensors that it changes.
class SourceLoader {
 public:
  SourceLoader(const ModelConfig& model, at::ScalarType dtype) : model_(model), dtype_(dtype) {
    const auto note = [&](const models::CheckpointPath& path) {
      if (path.has_adapter()) bases_.insert(path.folder);
    };
    note(model.base);
    note(model.sft);
    for (const VariantConfig& variant : model.variants) note(variant.checkpoint);
  }

  Source load(const models::CheckpointPath& path) {
    const auto checkpoint = std::make_shared<models::Checkpoint>(path);
    Source source{path, models::override_config(checkpoint->config(), model_.override), {}, {}, {}};
    const auto meta = models::check_tensors(*checkpoint, source.config);
    source.info = meta->info();
    const Folder folder = open_folder(path.folder);
    if (path.has_adapter()) {
      source.weights = with_adapter(folder.weights, checkpoint, *meta);
      source.sha256 = models::adapted_sha256(folder.sha256, *checkpoint->adapter());
    } else {
      source.weights = folder.weights;
      source.sha256 = folder.sha256;
    }
    models::resolve_tied_head(source.info, path.text(), source.weights);
    return source;
  }

 private:
  struct Folder {
    models::WeightMap weights;
    std::string sha256;
  };

  Folder open_folder(const std::filesystem::path& path) {
    const auto found = folders_.find(path);
    if (found != folders_.end()) return found->second;
    const auto checkpoint = std::make_shared<models::Checkpoint>(path);
    const auto meta = models::check_tensors(
        *checkpoint, models::override_config(checkpoint->config(), model_.override));
    Folder folder{models::load_weights(checkpoint, dtype_, *meta), checkpoint->weights_sha256()};
    // Other folders are not kept: share_equal_tensors drops what they have in common with the base.
    if (bases_.contains(path)) folders_.emplace(path, folder);
    return folder;
  }

  models::WeightMap with_adapter(const models::WeightMap& base,
                                 const std::shared_ptr<const models::Checkpoint>& checkpoint,
                                 const models::CausalLM& meta) const {
    models::WeightMap weights;
    std::vector<std::string> own;
    for (const std::string& name : meta.named_parameters().keys()) {
      const auto shared = base.find(name);
      if (shared == base.end() || checkpoint->is_adapted(name))
        own.push_back(name);
      else
        weights.insert(*shared);
    }
    weights.merge(models::load_weights(checkpoint, dtype_, own));
    return weights;
  }

  const ModelConfig& model_;
  at::ScalarType dtype_;
  std::set<std::filesystem::path> bases_;            ///< folders with an adapter on top
  std::map<std::filesystem::path, Folder> folders_;  ///< those that were read
};

/// Makes `other` use the base's tensors wherever its own are equal, so that they are held once.
void share_equal_tensors(const Source& base, Source& other) {
  const models::WeightMap named = models::renamed(base.weights, base.info, other.info);
  for (auto& [name, tensor] : other.weights) {
    const auto found = named.find(name);
    if (found != named.end() && !found->second.is_same(tensor) &&
        found->second.sizes() == tensor.sizes() && at::equal(found->second, tensor))
      tensor = found->second;
  }
}

/// Variants share tensors, so they must have the same architecture.
void require_same_architecture(const Source& first, const Source& other) {
  models::require_same_model(first.path.text(), first.info, other.path.text(), other.info);
}

std::string fingerprint(const Source& weights, const std::string& surgery,
                        const FingerprintBasis& basis) {
  return sha256_hex(fmt::format("niah {}\n{}\n{}\n{}\n{}\n{}\n{}", kVersion, weights.sha256,
                                models::config_identity(weights.config).dump(), surgery,
                                basis.tokenizer_sha256, basis.arithmetic, basis.decoding))
      .substr(0, 16);
}

/// What was done to the weights, for the fingerprint.
std::string surgery_of(const models::RestoreOptions& options, const std::string& base) {
  std::string text = fmt::format("{} lambda {} from {}",
                                 models::restore_method_name(options.method), options.lambda, base);
  if (options.method == models::RestoreMethod::kParts)
    text += fmt::format(" {}", parts_in_words(options));
  if (options.alpha != 1) text += fmt::format(" alpha {}", options.alpha);
  if (options.layers) text += fmt::format(" layers {}", fmt::join(*options.layers, ","));
  return text;
}

}  // namespace

std::vector<LoadedVariant> load_variants(const ModelConfig& model, at::ScalarType dtype,
                                         at::Device device, const FingerprintBasis& basis) {
  SourceLoader loader(model, dtype);
  const Source base = loader.load(model.base);
  std::optional<Source> sft;
  if (!model.sft.empty()) {
    sft = loader.load(model.sft);
    require_same_architecture(base, *sft);
    share_equal_tensors(base, *sft);
  }
  models::Placement place(device);
  std::vector<LoadedVariant> loaded;
  const auto add = [&](const VariantConfig& variant, const Source& source,
                       const models::WeightMap& weights, const std::string& surgery) {
    loaded.push_back({describe_variant(variant, model.name, fingerprint(source, surgery, basis)),
                      models::build_model(source.config, source.path.text(), place(weights))});
    if (surgery.empty()) loaded.back().info.weights_sha256 = source.sha256;
  };
  for (const VariantConfig& variant : model.variants) {
    switch (variant.kind) {
      case VariantKind::kBase:
        add(variant, base, base.weights, "");
        break;
      case VariantKind::kSft:
        add(variant, *sft, sft->weights, "");
        break;
      case VariantKind::kCheckpoint: {
        Source other = loader.load(variant.checkpoint);
        require_same_architecture(base, other);
        share_equal_tensors(base, other);
        add(variant, other, other.weights, "");
        break;
      }
      case VariantKind::kRestored: {
        const models::WeightMap weights = at_restore_place(variant, [&] {
          return models::restore(models::renamed(base.weights, base.info, sft->info), sft->weights,
                                 sft->info, variant.restore);
        });
        add(variant, *sft, weights, surgery_of(variant.restore, base.sha256));
        break;
      }
      case VariantKind::kServed:
        break;  // its weights are on the server
    }
  }
  return loaded;
}

namespace {

/// Whether two variants of one model have equal weights, however these were made.
bool are_same_weights(const LoadedVariant& a, const LoadedVariant& b) {
  if (a.model == nullptr || b.model == nullptr) return false;
  const auto mine = a.model->named_parameters(), others = b.model->named_parameters();
  if (mine.size() != others.size()) return false;
  return std::all_of(mine.begin(), mine.end(), [&](const auto& item) {
    const at::Tensor* other = others.find(item.key());
    return other != nullptr && item.value().sizes() == other->sizes() &&
           (item.value().const_data_ptr() == other->const_data_ptr() ||
            at::equal(item.value(), *other));
  });
}

}  // namespace

void require_distinct(const std::vector<LoadedVariant>& variants) {
  std::vector<reports::VariantInfo> infos;
  for (const LoadedVariant& variant : variants) infos.push_back(variant.info);
  require_distinct_fingerprints(infos);
  for (std::size_t i = 0; i < variants.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (variants[i].info.model == variants[j].info.model &&
          variants[i].info.fingerprint != variants[j].info.fingerprint &&
          are_same_weights(variants[j], variants[i]))
        throw UsageError(fmt::format(
            "'{} {}' and '{} {}' are made in different ways, but every weight is the same: two "
            "columns of one result would look like two results; leave one out of `models`",
            variants[j].info.model, variants[j].info.name, variants[i].info.model,
            variants[i].info.name));
}

void require_vocabulary(const models::Tokenizer& tokenizer, const std::string& tokenizer_name,
                        const std::vector<models::TokenId>& framed, std::int64_t rows,
                        const std::string& model) {
  std::int64_t largest = tokenizer.largest_text_id();
  for (const models::TokenId id : framed) largest = std::max<std::int64_t>(largest, id);
  if (largest < rows) return;
  throw DataError(
      fmt::format("the tokenizer {} makes ids up to {}, but the embedding of {} has {} rows (ids "
                  "up to {}): they "
                  "do not belong together; give the checkpoint's own tokenizer",
                  tokenizer_name, largest, model, rows, rows - 1));
}

std::string length_warning(const models::ModelInfo& info, std::int64_t length) {
  if (info.max_positions == 0 || length <= info.max_positions || info.scales_positions) return "";
  return fmt::format(
      "lengths go up to {} tokens, but its config.json claims {} (max_position_embeddings) and "
      "does "
      "not scale the rotary embedding: beyond that a low recall is no finding about the "
      "checkpoint. "
      "Scale it (rope_scaling, by `override`) or leave the longer lengths out.",
      length, info.max_positions);
}

std::vector<std::shared_ptr<models::CausalLM>> models_of(const VariantGroup& group) {
  std::vector<std::shared_ptr<models::CausalLM>> models;
  for (const LoadedVariant& variant : group) models.push_back(variant.model);
  return models;
}

std::string names_of(const VariantGroup& group) {
  std::vector<std::string> names;
  for (const LoadedVariant& variant : group) names.push_back(variant.info.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<VariantGroup> group_variants(const std::vector<LoadedVariant>& variants) {
  std::vector<VariantGroup> groups;
  for (const LoadedVariant& variant : variants) {
    bool placed = false;
    for (VariantGroup& group : groups) {
      if (group.front().info.model != variant.info.model) continue;
      const models::PrefixReader pair({group.front().model, variant.model}, 0);
      if (pair.shared_layers() < 1) continue;
      group.push_back(variant);
      placed = true;
      break;
    }
    if (!placed) groups.push_back({variant});
  }
  return groups;
}

}  // namespace niah
