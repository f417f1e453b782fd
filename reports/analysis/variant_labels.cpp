#include "reports/analysis/variant_labels.h"

#include <fmt/format.h>

#include <algorithm>

namespace niah::reports {
namespace {

constexpr std::size_t kLongestLabel = 32;

std::string plain_label(const VariantInfo& variant) {
  if (!variant.label.empty()) return variant.label;
  const std::string said = label_in(variant.description);
  return said.empty() ? variant.name : said;
}

const VariantInfo* find_of_model(const RunInfo& run, const std::string& model,
                                 const auto& matches) {
  const auto at = std::find_if(run.variants.begin(), run.variants.end(), [&](const VariantInfo& v) {
    return v.model == model && matches(v);
  });
  return at == run.variants.end() ? nullptr : &*at;
}

}  // namespace

bool has_one_checkpoint(const RunInfo& run) { return run.variants.size() == 1; }

std::string label_in(const std::string& description) {
  const std::size_t colon = description.find(": ");
  const bool said = colon != std::string::npos && colon <= kLongestLabel;
  return said ? description.substr(0, colon) : "";
}

std::string label_of(const RunInfo& run, const VariantInfo& variant) {
  std::string label = plain_label(variant);
  const bool is_of_pair = label == "Base" || label == "Fine-tuned";
  if (has_one_checkpoint(run) && is_of_pair && !variant.model.empty()) return variant.model;
  const auto namesakes =
      std::count_if(run.variants.begin(), run.variants.end(), [&](const VariantInfo& other) {
        return other.model == variant.model && plain_label(other) == label;
      });
  if (namesakes > 1 && label != variant.name) label += " (" + variant.name + ")";
  return models_of(run).size() > 1 ? variant.model + " " + label : label;
}

std::string label_of(const RunInfo& run, const std::string& fingerprint) {
  const VariantInfo* variant = find_variant(run, fingerprint);
  return variant == nullptr ? fingerprint : label_of(run, *variant);
}

std::string shown_hash(const std::string& sha256) { return sha256.substr(0, 16); }

std::string hash_words(const VariantInfo& variant) {
  const std::string weights = variant.weights_sha256.empty()
                                  ? ""
                                  : fmt::format("weights {}, ", shown_hash(variant.weights_sha256));
  return fmt::format("{}fingerprint {}", weights, variant.fingerprint);
}

std::string arithmetic_words(const RunInfo& run) {
  const auto dtype = run.arithmetic.find("dtype"), device = run.arithmetic.find("device");
  if (dtype == run.arithmetic.end() || device == run.arithmetic.end()) return "";
  return fmt::format("{} on {}", dtype->second, device->second);
}

const VariantInfo* find_variant(const RunInfo& run, const std::string& fingerprint) {
  const auto at = std::find_if(run.variants.begin(), run.variants.end(),
                               [&](const VariantInfo& v) { return v.fingerprint == fingerprint; });
  return at == run.variants.end() ? nullptr : &*at;
}

const VariantInfo* find_variant(const RunInfo& run, const std::string& model,
                                const std::string& name) {
  return find_of_model(run, model, [&](const VariantInfo& v) { return v.name == name; });
}

const VariantInfo* find_role(const RunInfo& run, const std::string& model, Role role) {
  return find_of_model(run, model, [&](const VariantInfo& v) { return v.role == role; });
}

const VariantInfo* find_method(const RunInfo& run, const std::string& model,
                               const std::string& method) {
  return find_of_model(run, model, [&](const VariantInfo& v) {
    return v.role == Role::kRestored && v.method == method;
  });
}

const VariantInfo* find_checkpoint(const RunInfo& run, const VariantInfo& variant) {
  if (variant.server.empty() || variant.same_as.empty()) return nullptr;
  return find_of_model(run, variant.model, [&](const VariantInfo& other) {
    return other.name == variant.same_as && other.server.empty();
  });
}

bool is_second_way(const VariantInfo& variant) {
  return !variant.server.empty() && (variant.role == Role::kControl || !variant.same_as.empty());
}

const VariantInfo& reference_of(const RunInfo& run, const VariantInfo& variant) {
  if (const VariantInfo* checkpoint = find_checkpoint(run, variant)) return *checkpoint;
  if (const VariantInfo* base = find_role(run, variant.model, Role::kBase)) return *base;
  const VariantInfo* first =
      find_of_model(run, variant.model, [](const VariantInfo&) { return true; });
  return first == nullptr ? variant : *first;
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

std::string variant_names(const RunInfo& run) {
  constexpr std::size_t kMost = 10, kOfMany = 6;
  const std::size_t count = run.variants.size();
  const std::size_t shown = count <= kMost ? count : kOfMany;
  std::string names;
  for (std::size_t i = 0; i < shown; ++i)
    names += (i == 0 ? "" : ", ") + label_of(run, run.variants[i]);
  return shown < count ? fmt::format("{} and {} more", names, count - shown) : names;
}

}  // namespace niah::reports
