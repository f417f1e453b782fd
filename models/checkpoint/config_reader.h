// Reads a config.json so that no field is ever ignored by accident: each is read, named as without
// effect, or refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace niah::models {

/// One object of a model config. Every accessor marks its field as seen; finish() refuses the rest.
/// All throw DataError with file, field, found and expected.
class ConfigReader {
 public:
  static constexpr std::int64_t kMaxSize = std::int64_t{1} << 24;
  static constexpr std::int64_t kMaxCount = std::int64_t{1} << 16;
  static constexpr std::int64_t kMaxPositions = std::int64_t{1} << 31;

  /// `label` names the file (and object) in errors. `config` must outlive the reader.
  ConfigReader(const nlohmann::json& config, std::string label);

  bool has(const std::string& field) const;
  /// Absent or null.
  bool is_null(const std::string& field);

  /// An integer of [low, high].
  std::int64_t integer(const std::string& field, std::int64_t fallback, std::int64_t low,
                       std::int64_t high);
  /// A size: an integer that must be there and be positive. Bounded, so that no config makes
  /// anybody allocate what no model has, and products of three sizes do not wrap.
  std::int64_t positive(const std::string& field, std::int64_t fallback,
                        std::int64_t limit = kMaxSize);
  /// A number of heads, layers, or other things that are made one by one.
  std::int64_t count(const std::string& field, std::int64_t fallback) {
    return positive(field, fallback, kMaxCount);
  }
  /// A number of token positions; `fallback` may be 0.
  std::int64_t positions(const std::string& field, std::int64_t fallback);
  /// A number of [low, high].
  double number(const std::string& field, double fallback, double low, double high);
  /// A factor that activations are multiplied with, or divided by: positive, and far from what
  /// leaves fp32 nothing but zeros and infinities.
  double multiplier(const std::string& field, double fallback);
  /// A list of `count` such factors; 1 each where there is none.
  std::vector<double> multipliers(const std::string& field, std::size_t count);
  bool boolean(const std::string& field, bool fallback);
  std::string text(const std::string& field, const std::string& fallback);
  /// One of the strings of `known`, or `fallback` where there is none. Anything else is refused:
  /// what a value that nobody knows would count as is a guess.
  std::string one_of(const std::string& field, const std::string& fallback,
                     std::initializer_list<const char*> known);
  std::vector<std::string> text_list(const std::string& field);
  /// The raw value (null when absent), for fields with several forms.
  const nlohmann::json& raw(const std::string& field);

  /// Fields that cannot change the result.
  void without_effect(std::initializer_list<const char*> fields);
  /// Refuses the field unless it is absent, null, or equal to `accepted`.
  void must_be(const std::string& field, const nlohmann::json& accepted, const std::string& why);
  /// Throws when a field was neither read nor declared without effect.
  void finish() const;

  /// Throws DataError: "reading FILE: FIELD: WHAT".
  [[noreturn]] void refuse(const std::string& field, const std::string& what) const;

 private:
  const nlohmann::json& config_;
  std::string label_;
  std::set<std::string> seen_;
};

}  // namespace niah::models
