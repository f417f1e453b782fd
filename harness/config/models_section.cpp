#include "harness/config/models_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "harness/base/error.h"
#include "harness/base/numbers.h"
#include "harness/base/text.h"
#include "harness/config/paths.h"
#include "harness/config/served_section.h"
#include "harness/config/variant_words.h"

namespace niah {

namespace fs = std::filesystem;

namespace {

/// A checkpoint: a folder, or {base: FOLDER, adapter: FOLDER}.
models::CheckpointPath read_path(YamlMap& map, const std::string& key, const fs::path& base) {
  const YAML::Node node = map.raw(key);
  if (!node.IsDefined() || !node.IsMap()) return path_at(map, key, base);
  YamlMap both = map.map(key);
  models::CheckpointPath path{path_at(both, "base", base), path_at(both, "adapter", base)};
  both.finish();
  return path;
}

/// [2, 5-8], or the same as one text.
std::vector<std::int64_t> read_layer_list(YamlMap& map) {
  std::vector<std::int64_t> layers;
  for (const std::string& text : map.texts("layers")) {
    const auto some = at_its_place(map, "layers", [&] { return models::parse_layers(text); });
    layers.insert(layers.end(), some.begin(), some.end());
  }
  return layers;
}

/// What a model's keys provide for its variants.
struct ModelParts {
  bool has_base = false, has_sft = false;
  std::optional<ServedConfig> served;
};

VariantConfig served_variant(const ServedConfig& served) {
  VariantConfig variant;
  variant.name = "served";
  variant.kind = VariantKind::kServed;
  variant.served = served;
  return variant;
}

VariantConfig plain_variant(const YamlMap& map, const std::string& name, const ModelParts& parts) {
  if (name == "served" && parts.served) return served_variant(*parts.served);
  VariantConfig variant;
  variant.name = name;
  if (name == "base") return variant;
  if (name == "sft") {
    variant.kind = VariantKind::kSft;
    variant.role = reports::Role::kTuned;
    return variant;
  }
  std::vector<std::string> known = models::restore_method_names();
  std::erase(known, "parts");  // it needs to be told which
  known.insert(known.begin(), {"base", "sft"});
  if (parts.served) known.insert(known.begin(), "served");
  if (std::find(known.begin(), known.end(), name) == known.end())
    map.refuse("variants",
               fmt::format("'{}' is not a variant{} ({}, or a mapping)", valid_utf8(name),
                           did_you_mean(name, known), fmt::join(known, ", ")));
  variant.kind = VariantKind::kRestored;
  variant.role = reports::Role::kRestored;
  variant.restore.method = models::parse_restore_method(name);
  return variant;
}

/// `of: base` or `of: sft`: the model's own checkpoint, with a name, label or description of the
/// file's. `of: served` when the model itself is served.
VariantConfig read_own_checkpoint(YamlMap& map, const ModelParts& parts) {
  const std::string of = map.text("of");
  const bool is_served = of == "served" && parts.served;
  if (of != "base" && of != "sft" && !is_served)
    map.refuse("of", fmt::format("expected base or sft, the model's own checkpoints, got '{}'; "
                                 "another one is named by `checkpoint`",
                                 valid_utf8(of)));
  VariantConfig variant = plain_variant(map, of, parts);
  variant.name = map.text("name", of);
  return variant;
}

/// Reads the role of a variant whose kind does not imply one.
void read_role(YamlMap& map, VariantConfig& variant) {
  const std::string role = map.text("role", reports::role_name(reports::Role::kControl));
  const auto known = reports::parse_role(role);
  if (!known)
    map.refuse("role", fmt::format("expected base, tuned, control or restored, got '{}'{}",
                                   valid_utf8(role),
                                   did_you_mean(role, {"base", "tuned", "control", "restored"})));
  variant.role = *known;
  variant.restored_from = map.text("restored_from", "");
  variant.fine_tune = map.text("fine_tune", "");
  if (variant.role == reports::Role::kRestored) return;
  for (const char* key : {"restored_from", "fine_tune"})
    if (map.has(key)) map.refuse(key, "it belongs to `role: restored`");
}

VariantConfig read_checkpoint(YamlMap& map, const fs::path& base) {
  VariantConfig variant;
  variant.kind = VariantKind::kCheckpoint;
  variant.checkpoint = read_path(map, "checkpoint", base);
  variant.checkpoint_place = map.place("checkpoint");
  variant.name = map.text("name");
  read_role(map, variant);
  return variant;
}

VariantConfig read_served_variant(YamlMap& map) {
  VariantConfig variant = served_variant(read_served(map.map("served")));
  variant.name = map.text("name", variant.name);
  variant.same_as = map.text("of", "");
  read_role(map, variant);
  return variant;
}

/// Reads what `method: parts` restores.
void read_parts_to_restore(YamlMap& map, models::RestoreOptions& options) {
  if (options.method != models::RestoreMethod::kParts) {
    for (const char* key : {"parts", "complement"})
      if (map.has(key)) map.refuse(key, "it belongs to `method: parts`");
    return;
  }
  const std::vector<std::string> names = map.texts("parts");
  options.parts = at_its_place(map, "parts", [&] { return models::parse_weight_parts(names); });
  if (options.parts.empty()) map.refuse("parts", "it is empty; name at least one part");
  options.complement = map.boolean("complement", false);
}

VariantConfig read_restoration(YamlMap& map) {
  VariantConfig variant;
  variant.kind = VariantKind::kRestored;
  variant.role = reports::Role::kRestored;
  variant.restore_place = map.place(map.has("parts") ? "parts" : "method");
  const std::string method = map.text("method");
  variant.restore.method =
      at_its_place(map, "method", [&] { return models::parse_restore_method(method); });
  if (map.has("lambda") && variant.restore.method != models::RestoreMethod::kQkPro)
    map.refuse("lambda", "it belongs to `method: qk-pro`");
  variant.restore.lambda = map.number("lambda", variant.restore.lambda, {.low = 0});
  variant.restore.alpha = map.number("alpha", 1, {0, 1});
  if (map.has("layers")) variant.restore.layers = read_layer_list(map);
  read_parts_to_restore(map, variant.restore);
  variant.name = map.text("name", restoration_name(variant.restore));
  return variant;
}

VariantConfig read_variant(YamlMap map, const fs::path& base, const ModelParts& parts) {
  const bool is_served = map.has("served");  // next to it, `of` means something else
  const int given = (map.has("of") && !is_served ? 1 : 0) + (map.has("method") ? 1 : 0) +
                    (map.has("checkpoint") ? 1 : 0) + (is_served ? 1 : 0);
  if (given != 1)
    map.refuse(
        "method",
        "give one of `method` (qk, qk-pro, qk-pro-exact, q, k, v, parts), `checkpoint` (a folder), "
        "`of` (base or sft) and `served` (a server)");
  if (!map.has("checkpoint") && !is_served)
    for (const char* key : {"role", "restored_from", "fine_tune"})
      if (map.has(key))
        map.refuse(key, "it belongs to a `checkpoint`; the role of other variants is known");
  VariantConfig variant = is_served               ? read_served_variant(map)
                          : map.has("of")         ? read_own_checkpoint(map, parts)
                          : map.has("checkpoint") ? read_checkpoint(map, base)
                                                  : read_restoration(map);
  variant.label = map.text("label", "");
  variant.description = map.text("description", "");
  map.finish();
  return variant;
}

/// Fills in restored_from and fine_tune, the two variants that a restoration lies between.
void connect_restorations(const YamlMap& map, std::vector<VariantConfig>& variants) {
  std::vector<std::string> names;
  for (const VariantConfig& variant : variants) names.push_back(variant.name);
  const auto name_of = [&](const VariantConfig& restored, reports::Role role, VariantKind kind) {
    if (const VariantConfig* own = find_kind(variants, kind)) return own->name;
    // A restoration made here always lies between the model's own checkpoints, even if the sweep
    // does not list them.
    if (restored.kind == VariantKind::kRestored) return std::string();
    for (const VariantConfig& variant : variants)
      if (variant.role == role) return variant.name;
    return std::string();
  };
  for (VariantConfig& variant : variants) {
    if (variant.role != reports::Role::kRestored) continue;
    for (const std::string& name : {variant.restored_from, variant.fine_tune})
      if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
        map.refuse("variants",
                   fmt::format("'{}': this model has no variant '{}'{}", valid_utf8(variant.name),
                               valid_utf8(name), did_you_mean(name, names)));
    if (variant.restored_from.empty())
      variant.restored_from = name_of(variant, reports::Role::kBase, VariantKind::kBase);
    if (variant.fine_tune.empty())
      variant.fine_tune = name_of(variant, reports::Role::kTuned, VariantKind::kSft);
  }
}

/// Resolves `of` of served variants, the variant with the same checkpoint: `base` is the variant of
/// that name, or else the variant made of the model's `base`.
void connect_served(const YamlMap& map, std::vector<VariantConfig>& variants) {
  std::vector<std::string> local;
  for (const VariantConfig& variant : variants)
    if (variant.kind != VariantKind::kServed) local.push_back(variant.name);
  for (VariantConfig& variant : variants) {
    if (variant.same_as.empty()) continue;
    if (std::find(local.begin(), local.end(), variant.same_as) != local.end()) continue;
    const VariantConfig* own = variant.same_as == "base"  ? find_kind(variants, VariantKind::kBase)
                               : variant.same_as == "sft" ? find_kind(variants, VariantKind::kSft)
                                                          : nullptr;
    if (own == nullptr)
      map.refuse("variants",
                 fmt::format("'{}': `of` says whose checkpoint is served, and this model "
                             "runs no variant '{}' to compare it with{}",
                             valid_utf8(variant.name), valid_utf8(variant.same_as),
                             did_you_mean(variant.same_as, local)));
    variant.same_as = own->name;
  }
}

void refuse_second_base(const YamlMap& map, const std::vector<VariantConfig>& variants) {
  const VariantConfig* first = nullptr;
  for (const VariantConfig& variant : variants) {
    if (variant.role != reports::Role::kBase) continue;
    if (first != nullptr)
      map.refuse("variants", fmt::format("'{}' and '{}' both have the role base; a model has one",
                                         valid_utf8(first->name), valid_utf8(variant.name)));
    first = &variant;
  }
}

/// Throws UsageError when a variant needs a checkpoint that the model does not name.
void require_parts(const YamlMap& map, const VariantConfig& variant, const ModelParts& parts) {
  if (variant.kind == VariantKind::kServed) return;
  if (!parts.has_base)
    map.refuse("variants",
               fmt::format("'{}' needs `base`, a checkpoint to be run here, and this model is a "
                           "served one; give `base`, and list the server as `{{served: ...}}`",
                           valid_utf8(variant.name)));
  const bool needs_sft =
      variant.kind == VariantKind::kSft || variant.kind == VariantKind::kRestored;
  if (needs_sft && !parts.has_sft)
    map.refuse("variants", fmt::format("'{}' needs `sft`, the checkpoint after the fine-tune",
                                       valid_utf8(variant.name)));
}

std::vector<VariantConfig> read_variants(YamlMap& map, const fs::path& base,
                                         const ModelParts& parts) {
  const YAML::Node list = map.raw("variants");
  std::vector<VariantConfig> variants;
  if (!list.IsDefined() || list.IsNull()) {
    variants.push_back(plain_variant(map, parts.served ? "served" : "base", parts));
    if (parts.has_sft)
      for (const char* name : {"sft", "qk", "qk-pro"})
        variants.push_back(plain_variant(map, name, parts));
  } else if (!list.IsSequence() || list.size() == 0) {
    map.refuse("variants", "expected a list such as [base, sft, qk]");
  } else {
    const auto read_one = [&](std::size_t i) {
      variants.push_back(
          list[i].IsScalar()
              ? plain_variant(map, list[i].Scalar(), parts)
              : read_variant(map.wrap(list[i], fmt::format("variants[{}]", i)), base, parts));
    };
    bool are_sound = true;
    for (std::size_t i = 0; i < list.size(); ++i)
      are_sound = map.attempt([&] { read_one(i); }) && are_sound;
    if (!are_sound) return variants;
  }
  std::set<std::string> names;
  for (VariantConfig& variant : variants) {
    if (!names.insert(variant.name).second)
      map.refuse("variants", fmt::format("two variants are called '{}'; give one a `name`",
                                         valid_utf8(variant.name)));
    require_parts(map, variant, parts);
  }
  refuse_second_base(map, variants);
  connect_restorations(map, variants);
  connect_served(map, variants);
  describe_all(variants);
  return variants;
}

/// Whether all of the model's variants are served, so that it needs no checkpoint.
bool lists_only_served(YamlMap& map) {
  const YAML::Node list = map.raw("variants");
  if (!list.IsDefined() || !list.IsSequence() || list.size() == 0) return false;
  for (const YAML::Node& one : list)
    if (!one.IsMap() || !one["served"].IsDefined()) return false;
  return true;
}

/// Reads what the model is made of: checkpoints that are run here, or a server.
ModelParts read_parts(YamlMap& map, const fs::path& base, ModelConfig& model) {
  for (const char* key : {"base", "sft", "tokenizer"}) map.raw(key);
  ModelParts parts;
  if (auto served = map.optional_map("served")) {
    for (const char* key : {"base", "sft", "override"})
      if (map.has(key))
        map.refuse(key,
                   "`served` takes its place; if both are meant, list the server among the "
                   "variants: [base, {served: {...}, of: base}]");
    parts.served = read_served(*served);
  }
  parts.has_base = map.has("base");
  parts.has_sft = map.has("sft");
  if (parts.has_base || (!parts.served && !lists_only_served(map)))
    model.base = read_path(map, "base", base);
  if (parts.has_sft) model.sft = read_path(map, "sft", base);
  model.base_place = map.place("base");
  model.sft_place = map.place("sft");
  model.tokenizer_place = map.place("tokenizer");
  if (map.has("tokenizer")) model.tokenizer = path_at(map, "tokenizer", base);
  return parts;
}

void read_override(YamlMap& map, ModelConfig& model) {
  const YAML::Node node = map.raw("override");
  if (!map.has("override")) return;
  if (!node.IsMap())
    map.refuse("override",
               "expected fields of config.json, such as {attn_logits_scaling: hype 500}");
  model.override = yaml_to_json(node);
}

ModelConfig read_model(YamlMap map, const fs::path& base) {
  ModelConfig model;
  map.attempt([&] { read_override(map, model); });
  map.attempt([&] {
    model.name = map.text("name");
    if (model.name.empty()) map.refuse("name", "it is empty; reports need a name to show");
  });
  ModelParts parts;
  const bool has_parts = map.attempt([&] { parts = read_parts(map, base, model); });
  map.raw("variants");
  if (has_parts) map.attempt([&] { model.variants = read_variants(map, base, parts); });
  map.finish();
  return model;
}

/// Refuses identical variants: no report could tell their samples apart.
void refuse_equal_variants(const YamlMap& root, const std::vector<ModelConfig>& models) {
  std::map<std::string, std::string> seen;
  for (const ModelConfig& model : models)
    for (const VariantConfig& variant : model.variants) {
      const std::string weights = weights_text(model, variant);
      const std::string name = fmt::format("{} {}", model.name, variant.name);
      const auto [first, fresh] = seen.emplace(weights + model.override.dump(), name);
      if (!fresh)
        root.refuse("models", fmt::format("'{}' and '{}' are the same, {}: their samples could not "
                                          "be told apart; leave one out",
                                          first->second, name, weights));
    }
}

}  // namespace

std::vector<ModelConfig> read_models(YamlMap& root, const fs::path& base) {
  std::vector<ModelConfig> models;
  std::set<std::string> names;
  const auto add = [&](YamlMap& model) {
    models.push_back(read_model(model, base));
    const std::string& name = models.back().name;
    if (!names.insert(name).second && !name.empty())
      model.refuse("name", fmt::format("two models are called '{}'", valid_utf8(name)));
  };
  const bool are_sound = root.attempt([&] {
    for (YamlMap& model : root.maps("models")) root.attempt([&] { add(model); });
  });
  if (are_sound) refuse_equal_variants(root, models);
  return models;
}

}  // namespace niah
