#include "models/checkpoint/adapter_config.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/config_reader.h"

namespace niah::models {
namespace {

using nlohmann::json;

constexpr const char* kAdvice =
    "merge the adapter into its base with PEFT (merge_and_unload) and name the merged checkpoint";
constexpr std::size_t kMostPatterns = 1024;
constexpr std::size_t kLongestPattern = 1000;
// Limit of the regex engine's steps: a plain name takes a few dozen, and every pattern is tried on
// every module.
constexpr std::uint32_t kMostSteps = 10'000;
constexpr std::int64_t kLargestRank = std::int64_t{1} << 16;
constexpr double kLargestAlpha = 1e6;

/// A value of the file, made safe to show in a message.
std::string shown_value(const std::string& text) {
  return single_line(std::string_view(text).substr(0, 80));
}

std::string lower_ascii(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool is_set(const json& value) {
  return !(value.is_null() || value == false || value == "" ||
           (value.is_structured() && value.empty()));
}

/// Fields of adapters that compute something this program does not support.
struct Refused {
  const char* field;
  const char* what;
};
constexpr std::array kRefused = {
    Refused{"fan_in_fan_out", "weights that are stored the other way round"},
    Refused{"layer_replication", "layers that are computed several times"},
    Refused{"target_parameters", "adapted parameters that are no module's weight"},
    Refused{"trainable_token_indices", "an embedding with single rows trained"},
    Refused{"lora_bias", "a bias beside the factors"},
    Refused{"alora_invocation_tokens", "an adapter that acts from certain tokens on"},
    Refused{"arrow_config", "a mixture of adapters"},
    Refused{"kasa_config", "factors that are scaled by a matrix between them"},
    Refused{"monteclora_config", "factors that are drawn at random"},
    Refused{"velora_config", "projected activations"},
};

void refuse_where_set(ConfigReader& reader, const std::string& field, const char* what) {
  if (is_set(reader.raw(field)))
    reader.refuse(field, fmt::format("not supported ({}); {}", what, kAdvice));
}

/// Some initialisations subtract the factors' initial product from the base, so the adapter belongs
/// to a base that does not exist on disk. Only initialisations known not to change the base are
/// accepted.
void refuse_changed_base(ConfigReader& reader) {
  const json& value = reader.raw("init_lora_weights");
  if (value.is_null() || value.is_boolean()) return;
  const std::string name = value.is_string() ? lower_ascii(value.get<std::string>()) : value.dump();
  if (name == "gaussian" || name == "eva" || name == "orthogonal") return;
  reader.refuse("init_lora_weights",
                fmt::format("'{}' is not among those that leave the base as it is on disk (true, "
                            "false, gaussian, eva, orthogonal); save the adapter with "
                            "path_initial_model_for_weight_conversion, or {}",
                            shown_value(name), kAdvice));
}

void refuse_other_kinds(ConfigReader& reader, const json& config) {
  const std::string type = reader.text("peft_type", "");
  if (type != "LORA")
    reader.refuse("peft_type", fmt::format("'{}' is not supported, only LORA is; {}",
                                           shown_value(type), kAdvice));
  for (const Refused& refused : kRefused) refuse_where_set(reader, refused.field, refused.what);
  for (const auto& [field, value] : config.items())
    if (field.starts_with("use_") && field != "use_dora" && field != "use_rslora")
      refuse_where_set(reader, field, "this variant of LoRA");
  refuse_changed_base(reader);
}

/// The keys of the object `field` of the config in the order of the text, which matters because the
/// first matching pattern wins. `text` must be valid JSON.
std::vector<std::string> keys_in_order(const std::string& text, const std::string& field) {
  std::vector<std::string> keys;
  std::string current;
  [[maybe_unused]] const json whole =
      json::parse(text, [&](int depth, json::parse_event_t event, json& value) {
        if (event != json::parse_event_t::key) return true;
        if (depth == 1) current = value.get<std::string>();
        if (depth == 2 && current == field) keys.push_back(value.get<std::string>());
        return true;
      });
  return keys;
}

ModulePatterns read_patterns(ConfigReader& reader, const std::filesystem::path& file,
                             const std::string& field, const std::string& text, double least,
                             double most) {
  ModulePatterns patterns(fmt::format("{}: {}", file.string(), field));
  const json& object = reader.raw(field);
  if (object.is_null()) return patterns;
  if (!object.is_object() || object.size() > kMostPatterns)
    reader.refuse(field, fmt::format("an object of up to {} patterns was expected", kMostPatterns));
  for (const std::string& key : keys_in_order(text, field)) {
    const json& value = object.at(key);
    const double number = value.is_number() ? value.get<double>() : std::nan("");
    if (!(number >= least && number <= most))
      reader.refuse(field, fmt::format("'{}': a number from {} to {} was expected",
                                       shown_value(key), least, most));
    try {
      if (key.size() > kLongestPattern) throw std::invalid_argument("it is too long");
      patterns.add(key, number);
    } catch (const std::invalid_argument& error) {
      reader.refuse(field, fmt::format("'{}' is no pattern of module names: {}", shown_value(key),
                                       error.what()));
    }
  }
  return patterns;
}

/// Accepts fields about how an adapter was trained, and those that its tensors make redundant.
void pass_over(ConfigReader& reader, const json& config) {
  (void)reader.one_of("bias", "none", {"none", "all", "lora_only"});
  reader.without_effect({"auto_mapping",    "base_model_name_or_path",
                         "corda_config",    "eva_config",
                         "exclude_modules", "inference_mode",
                         "layers_pattern",  "layers_to_transform",
                         "loftq_config",    "lora_dropout",
                         "lora_ga_config",  "megatron_config",
                         "megatron_core",   "modules_to_save",
                         "peft_version",    "qalora_group_size",
                         "revision",        "runtime_config",
                         "target_modules",  "task_type"});
  for (const auto& [field, value] : config.items())
    if (!is_set(value)) (void)reader.raw(field);
  reader.finish();
}

/// Whether PEFT initialises B with exact zeros. With "orthogonal" the product B A is zero only up
/// to rounding (and r must be even); with false and null the factors are random.
bool begins_as_no_change(const json& config) {
  const auto found = config.find("init_lora_weights");
  if (found == config.end()) return true;
  if (!found->is_string()) return *found == true;
  return *found == "eva" || lower_ascii(found->get<std::string>()) == "gaussian";
}

}  // namespace

void ModulePatterns::add(const std::string& expression, double number) {
  // Regex refuses expressions that can match the empty string, such as ".*": the newline, which
  // matches() appends to the name, prevents that. It comes after the name because an expression may
  // itself contain ^ and $.
  patterns_.push_back(
      {expression, Regex(fmt::format(R"(^(?:.*\.)?(?:{})$\n)", expression), kMostSteps), number});
}

bool ModulePatterns::matches(const Pattern& pattern, const std::string& module) const {
  bool found = false;
  try {
    pattern.regex.for_each_match(module + "\n", [&](std::size_t, std::size_t) { found = true; });
  } catch (const DataError&) {
    throw DataError(fmt::format(
        "reading {}: matching the pattern '{}' with the module '{}' takes too long; write it as a "
        "plain name",
        where_, shown_value(pattern.expression), shown_value(module)));
  }
  return found;
}

double ModulePatterns::find(const std::string& module, double otherwise) const {
  for (const Pattern& pattern : patterns_)
    if (matches(pattern, module)) return pattern.number;
  return otherwise;
}

double AdapterConfig::scale_of(const std::string& module) const {
  const double own_rank = rank_of(module);
  return alphas.find(module, alpha) / (is_rank_stabilised ? std::sqrt(own_rank) : own_rank);
}

AdapterConfig parse_adapter_config(const std::string& text, const std::filesystem::path& file) {
  const json config = parse_json_text(text, file, "reading the adapter's config");
  ConfigReader reader(config, file.string());
  refuse_other_kinds(reader, config);
  AdapterConfig result;
  result.rank = static_cast<double>(reader.integer("r", 8, 1, kLargestRank));
  result.alpha = reader.number("lora_alpha", 8, -kLargestAlpha, kLargestAlpha);
  result.is_rank_stabilised = reader.boolean("use_rslora", false);
  result.is_dora = reader.boolean("use_dora", false);
  result.ties_weights = reader.boolean("ensure_weight_tying", false);
  result.ranks =
      read_patterns(reader, file, "rank_pattern", text, 1, static_cast<double>(kLargestRank));
  result.alphas = read_patterns(reader, file, "alpha_pattern", text, -kLargestAlpha, kLargestAlpha);
  pass_over(reader, config);
  return result;
}

std::string with_no_change_where_lacking(const std::string& text) {
  auto config = nlohmann::ordered_json::parse(text);
  if (begins_as_no_change(json(config))) return text;
  config["init_lora_weights"] = true;
  return config.dump(2);
}

}  // namespace niah::models
