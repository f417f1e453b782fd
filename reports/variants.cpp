#include "reports/variants.h"

#include <algorithm>

namespace niah::reports {
namespace {

constexpr std::size_t kLongestLabel = 32;

/// What the description has before its first ": ", when that is short; or else the name.
std::string plain_label(const VariantInfo& variant) {
  const std::size_t colon = variant.description.find(": ");
  const bool named = colon != std::string::npos && colon > 0 && colon <= kLongestLabel;
  return named ? variant.description.substr(0, colon) : variant.name;
}

}  // namespace

Role role_of(const VariantInfo& variant) {
  if (variant.name == "base") return Role::kBase;
  return variant.name.find("sft") != std::string::npos ? Role::kFineTuned : Role::kRestored;
}

std::string label_of(const RunInfo& run, const VariantInfo& variant) {
  std::string label = plain_label(variant);
  const auto namesakes =
      std::count_if(run.variants.begin(), run.variants.end(), [&](const VariantInfo& other) {
        return other.model == variant.model && plain_label(other) == label;
      });
  if (namesakes > 1 && label != variant.name) label += " (" + variant.name + ")";
  return models_of(run).size() > 1 ? variant.model + " " + label : label;
}

const VariantInfo* find_variant(const RunInfo& run, const std::string& fingerprint) {
  const auto at = std::find_if(run.variants.begin(), run.variants.end(),
                               [&](const VariantInfo& v) { return v.fingerprint == fingerprint; });
  return at == run.variants.end() ? nullptr : &*at;
}

const VariantInfo* find_variant(const RunInfo& run, const std::string& model,
                                const std::string& name) {
  const auto at = std::find_if(run.variants.begin(), run.variants.end(), [&](const VariantInfo& v) {
    return v.model == model && v.name == name;
  });
  return at == run.variants.end() ? nullptr : &*at;
}

const VariantInfo& reference_of(const RunInfo& run, const VariantInfo& variant) {
  if (const VariantInfo* base = find_variant(run, variant.model, "base")) return *base;
  const auto first = std::find_if(run.variants.begin(), run.variants.end(),
                                  [&](const VariantInfo& v) { return v.model == variant.model; });
  return first == run.variants.end() ? variant : *first;
}

bool has_model(const RunInfo& run, const std::string& model) {
  return std::any_of(run.variants.begin(), run.variants.end(),
                     [&](const VariantInfo& v) { return v.model == model; });
}

std::vector<std::string> models_of(const RunInfo& run) {
  std::vector<std::string> models;
  for (const VariantInfo& variant : run.variants)
    if (std::find(models.begin(), models.end(), variant.model) == models.end())
      models.push_back(variant.model);
  return models;
}

}  // namespace niah::reports
