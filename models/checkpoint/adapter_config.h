// Reading adapter_config.json of a PEFT LoRA adapter.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/tokenizer/regex.h"

namespace niah::models {

/// File name of the config in an adapter's folder.
inline constexpr const char* kAdapterConfig = "adapter_config.json";
/// File name of its weights.
inline constexpr const char* kAdapterWeights = "adapter_model.safetensors";
/// What the names of its tensors begin with.
inline constexpr std::string_view kAdapterPrefix = "base_model.model.";

/// rank_pattern or alpha_pattern: numbers for modules whose names match regular expressions.
class ModulePatterns {
 public:
  ModulePatterns() = default;
  /// `where` names file and field in errors.
  explicit ModulePatterns(std::string where) : where_(std::move(where)) {}
  /// Throws std::invalid_argument with the reason if the expression is not valid.
  void add(const std::string& expression, double number);
  /// The number of the first expression for which (.*\.)?(expression)$ matches the module's name,
  /// or `otherwise`. Throws DataError, naming file and expression, if matching takes too long.
  double find(const std::string& module, double otherwise) const;

 private:
  struct Pattern {
    std::string expression;
    Regex regex;
    double number = 0;
  };
  bool matches(const Pattern& pattern, const std::string& module) const;

  std::string where_;
  std::vector<Pattern> patterns_;
};

/// The fields of an adapter's config that cannot be derived from its tensors.
struct AdapterConfig {
  double rank = 8, alpha = 8;
  ModulePatterns ranks, alphas;
  bool is_rank_stabilised = false;  ///< rsLoRA: s is alpha / sqrt(r), not alpha / r
  bool is_dora = false;
  bool ties_weights = false;  ///< with a tied base, a replaced embedding replaces the head as well

  /// The rank r of a module.
  double rank_of(const std::string& module) const { return ranks.find(module, rank); }
  /// The factor s in W + s B A of a module.
  double scale_of(const std::string& module) const;
};

/// Parses the text of a config; `file` names it in errors. Throws DataError if it is not the config
/// of a LoRA adapter, and for every kind of adapter that does more than W + s B A, DoRA or replaced
/// tensors. Unknown fields are refused unless they are null, false or empty.
AdapterConfig parse_adapter_config(const std::string& text, const std::filesystem::path& file);

/// Adapts the text of a config that parse_adapter_config accepts to an adapter file from which some
/// factors have been removed. Before PEFT reads the file, it initialises all factors as
/// init_lora_weights says; those that the file lacks keep their initial values. If these would
/// change the base, the field is set to true, which initialises B with zeros; else the text is
/// returned as it is.
std::string with_no_change_where_lacking(const std::string& text);

}  // namespace niah::models
