// adapter_config.json of a PEFT LoRA adapter.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/tokenizer/regex.h"

namespace niah::models {

/// The file in an adapter's folder that this is about.
inline constexpr const char* kAdapterConfig = "adapter_config.json";

/// rank_pattern or alpha_pattern: numbers of modules by regular expressions.
class ModulePatterns {
 public:
  ModulePatterns() = default;
  /// `where` names file and field in errors.
  explicit ModulePatterns(std::string where) : where_(std::move(where)) {}
  /// Throws std::invalid_argument with the reason for an expression that cannot be used.
  void add(const std::string& expression, double number);
  /// The number of the first expression with (.*\.)?(expression)$ matching the whole name, or
  /// `otherwise`. Throws DataError, which names file and expression, where matching takes too long.
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

/// What of an adapter's config its tensors do not say.
struct AdapterConfig {
  double rank = 8, alpha = 8;
  ModulePatterns ranks, alphas;
  bool is_rank_stabilised = false;  ///< the change is scaled by alpha / sqrt(r), not alpha / r
  bool is_dora = false;
  bool ties_weights = false;  ///< a saved embedding is the output head, too, where the base ties

  /// The r of a module.
  double rank_of(const std::string& module) const { return ranks.find(module, rank); }
  /// The s of W + s B A.
  double scale_of(const std::string& module) const;
};

/// Reads the config's text; `file` names it in errors. Throws DataError for what is not a LoRA
/// adapter's config, and by name for every kind of adapter whose effect would not be W + s B A, a
/// replaced tensor, or DoRA's. Fields that are not known here are refused where they are set.
AdapterConfig parse_adapter_config(const std::string& text, const std::filesystem::path& file);

/// The text of a config that parse_adapter_config takes, for a file of tensors that lacks some:
/// PEFT makes a module's factors as init_lora_weights says before it reads the file, and keeps
/// those that the file lacks. Where they would not be exactly no change the field becomes true,
/// with which B begins as zeros; else the text stays as it is, to the byte.
std::string with_no_change_where_lacking(const std::string& text);

}  // namespace niah::models
