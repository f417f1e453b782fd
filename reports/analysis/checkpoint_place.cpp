#include "reports/analysis/checkpoint_place.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace niah::reports {
namespace {

using nlohmann::json;

/// A member of an object that is a text; empty where there is none.
std::string string_member(const json& object, const std::string& key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

/// The object of this name in the list `key` of `object`; null where there is none.
json member_named(const json& object, const char* key, const std::string& name) {
  const auto list = object.find(key);
  if (list == object.end() || !list->is_array()) return {};
  const auto found = std::find_if(list->begin(), list->end(), [&](const json& one) {
    return one.is_object() && string_member(one, "name") == name;
  });
  return found == list->end() ? json() : *found;
}

/// A checkpoint as a config has it: a folder, or a folder with an adapter on it.
std::string checkpoint_words(const json& object, const std::string& key) {
  const auto value = object.find(key);
  if (value == object.end() || !value->is_object()) return string_member(object, key);
  return fmt::format("{} + {}", string_member(*value, "base"), string_member(*value, "adapter"));
}

}  // namespace

std::string checkpoint_of(const RunInfo& run, const VariantInfo& variant) {
  const json config = json::parse(run.config_json, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return "";
  const json model = member_named(config, "models", variant.model);
  if (model.is_null()) return "";
  const json one = member_named(model, "variants", variant.name);
  if (one.is_null()) return "";
  return one.contains("checkpoint") ? checkpoint_words(one, "checkpoint")
                                    : checkpoint_words(model, string_member(one, "of"));
}

}  // namespace niah::reports
