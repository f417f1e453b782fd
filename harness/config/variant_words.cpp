#include "harness/config/variant_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/listed.h"
#include "harness/base/pending_folder.h"
#include "harness/config/served_section.h"
#include "reports/analysis/variant_labels.h"

namespace niah {
namespace {

/// ", alpha 0.5, layers 2,3": the options that differ from their defaults.
std::string parts_text(const models::RestoreOptions& options, const char* between) {
  std::string text;
  if (options.alpha != 1) text += fmt::format("{}alpha {}", between, options.alpha);
  if (options.layers) text += fmt::format("{}layers {}", between, fmt::join(*options.layers, ","));
  return text;
}

/// A label and the text that explains it.
struct Words {
  std::string label, text;
};

std::string capitalised(std::string text) {
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

/// "Q and K only", "MLPs of layers 2, 5", "All but norms".
std::string parts_label(const models::RestoreOptions& options) {
  static const std::map<models::WeightPart, const char*> kNames = {
      {models::WeightPart::kQuery, "Q"},
      {models::WeightPart::kKey, "K"},
      {models::WeightPart::kValue, "V"},
      {models::WeightPart::kOutput, "O"},
      {models::WeightPart::kGate, "gates"},
      {models::WeightPart::kNorms, "norms"},
      {models::WeightPart::kLinear, "linear layers"},
      {models::WeightPart::kConvolutions, "convolutions"},
      {models::WeightPart::kMlp, "MLPs"},
      {models::WeightPart::kExperts, "experts"},
      {models::WeightPart::kEmbedding, "embedding"},
      {models::WeightPart::kHead, "head"}};
  std::vector<std::string> names;
  for (const models::WeightPart part : options.parts) names.emplace_back(kNames.at(part));
  std::string label = (options.complement ? "all but " : "") + listed(names);
  if (options.layers)
    label += fmt::format(" of {} {}", options.layers->size() == 1 ? "layer" : "layers",
                         fmt::join(*options.layers, ", "));
  else if (!options.complement)
    label += " only";
  if (options.alpha != 1) label += fmt::format(", alpha {}", options.alpha);
  return capitalised(std::move(label));
}

/// Label and text of a restoration.
Words restoration_words(const models::RestoreOptions& options) {
  switch (options.method) {
    case models::RestoreMethod::kQk:
      return {"QK-Restore", "W_Q and W_K of the softmax layers from base"};
    case models::RestoreMethod::kQkPro:
      return {"QK-Pro",
              fmt::format("W_K from base and W_Q moved so that W_Q^T W_K is base's (lambda {})",
                          options.lambda)};
    case models::RestoreMethod::kQkProExact:
      return {"QK-Pro, exact", "the W_Q and W_K nearest to its own whose W_Q^T W_K is base's"};
    case models::RestoreMethod::kQ:
      return {"Q only", "W_Q from base (ablation)"};
    case models::RestoreMethod::kK:
      return {"K only", "W_K from base (ablation)"};
    case models::RestoreMethod::kV:
      return {"V only", "W_V from base (ablation)"};
    case models::RestoreMethod::kParts:
      return {parts_label(options), parts_in_words(options) + " from base (ablation)"};
  }
  throw std::logic_error("unknown restoration");
}

/// Label and text of a variant where the file gives none. They say nothing about how a fine-tune
/// was made, which is not known.
Words plain_words(const VariantConfig& variant, const std::string& fine_tune) {
  switch (variant.kind) {
    case VariantKind::kBase:
      return {"Base", "the checkpoint before the fine-tune"};
    case VariantKind::kSft:
      return {"Fine-tuned", "the checkpoint after the fine-tune"};
    case VariantKind::kCheckpoint:
      return {variant.name, (variant.checkpoint.has_adapter() ? "adapter " : "checkpoint ") +
                                variant.checkpoint.own_folder().filename().string()};
    case VariantKind::kServed:
      return {variant.name, "asked of " + served_text(server_of(variant))};
    case VariantKind::kRestored:
      break;
  }
  Words words = restoration_words(variant.restore);
  words.text =
      fmt::format("{} with {}{}", fine_tune, words.text, parts_text(variant.restore, ", "));
  return words;
}

bool is_same_place(const models::CheckpointPath& a, const models::CheckpointPath& b) {
  return a.has_adapter() == b.has_adapter() &&
         canonical_path(a.folder) == canonical_path(b.folder) &&
         (!a.has_adapter() || canonical_path(a.adapter) == canonical_path(b.adapter));
}

/// Whether two variants of one pair are the same by their kind.
bool is_same_kind(const VariantConfig& a, const VariantConfig& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == VariantKind::kRestored) return restore_text(a.restore) == restore_text(b.restore);
  return a.kind == VariantKind::kBase || a.kind == VariantKind::kSft;
}

}  // namespace

void call_as(ModelConfig& model, const std::vector<ModelConfig>& others) {
  const auto same = std::find_if(others.begin(), others.end(), [&](const ModelConfig& other) {
    return !other.base.empty() && !other.sft.empty() && is_same_place(other.base, model.base) &&
           is_same_place(other.sft, model.sft);
  });
  if (same == others.end()) return;
  for (VariantConfig& variant : model.variants)
    for (const VariantConfig& other : same->variants) {
      if (!is_same_kind(variant, other)) continue;
      variant.label = other.label;
      variant.description = other.description;
      break;
    }
}

const VariantConfig* find_kind(const std::vector<VariantConfig>& variants, VariantKind kind) {
  for (const VariantConfig& variant : variants)
    if (variant.kind == kind) return &variant;
  return nullptr;
}

const ServedConfig& server_of(const VariantConfig& variant) {
  if (!variant.served) throw std::logic_error("a served variant has a server");
  return *variant.served;
}

void describe_all(std::vector<VariantConfig>& variants) {
  for (VariantConfig& variant : variants)
    if (variant.label.empty()) variant.label = reports::label_in(variant.description);
  const VariantConfig* tuned = find_kind(variants, VariantKind::kSft);
  const bool named = tuned != nullptr && !tuned->label.empty();
  const std::string fine_tune = named ? tuned->label : "the fine-tune";
  for (VariantConfig& variant : variants) {
    const Words plain = plain_words(variant, fine_tune);
    if (variant.label.empty())
      variant.label = variant.description.empty() ? plain.label : variant.name;
    if (variant.description.empty())
      variant.description = fmt::format("{}: {}", variant.label, plain.text);
  }
}

std::string weights_text(const ModelConfig& model, const VariantConfig& variant) {
  switch (variant.kind) {
    case VariantKind::kBase:
      return "checkpoint " + model.base.text();
    case VariantKind::kSft:
      return "checkpoint " + model.sft.text();
    case VariantKind::kCheckpoint:
      return "checkpoint " + variant.checkpoint.text();
    case VariantKind::kServed:
      return "asked of " + served_text(server_of(variant));
    case VariantKind::kRestored:
      break;
  }
  return fmt::format("{} of {} with {}", restore_text(variant.restore), model.sft.text(),
                     model.base.text());
}

void describe_plainly(ModelConfig& model) {
  for (VariantConfig& variant : model.variants) {
    variant.label.clear();
    variant.description.clear();
  }
  describe_all(model.variants);
}

std::string restoration_name(const models::RestoreOptions& options) {
  if (options.method != models::RestoreMethod::kParts)
    return models::restore_method_name(options.method);
  std::string name = options.complement ? "all-but" : "parts";
  for (const models::WeightPart part : options.parts) name += "-" + models::weight_part_name(part);
  if (options.layers) name += fmt::format("-layers-{}", fmt::join(*options.layers, "-"));
  return name;
}

std::string restore_text(const models::RestoreOptions& options) {
  std::string text = options.method == models::RestoreMethod::kParts
                         ? parts_in_words(options)
                         : models::restore_method_name(options.method);
  if (options.method == models::RestoreMethod::kQkPro)
    text += fmt::format(" lambda {}", options.lambda);
  return text + parts_text(options, " ");
}

}  // namespace niah
