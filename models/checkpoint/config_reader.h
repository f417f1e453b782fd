// Reads a config.json such that no field is ignored by accident: each field is read, declared to be
// without effect, or refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace niah::models {

/// One object of a model config. Every accessor except has() marks its field as seen; finish()
/// refuses all others. An absent or null field has the value `fallback`. All throw DataError naming
/// the file, the field, the value found and what was expected.
class ConfigReader {
 public:
  static constexpr std::int64_t kMaxSize = std::int64_t{1} << 24;
  static constexpr std::int64_t kMaxCount = std::int64_t{1} << 16;
  static constexpr std::int64_t kMaxPositions = std::int64_t{1} << 31;

  /// `label` names the file (and object) in errors. `config` must outlive the reader.
  ConfigReader(const nlohmann::json& config, std::string label);

  bool has(const std::string& field) const;
  /// Whether the field is absent or null.
  bool is_null(const std::string& field);

  /// An integer in [low, high].
  std::int64_t integer(const std::string& field, std::int64_t fallback, std::int64_t low,
                       std::int64_t high);
  /// A positive size, required if `fallback` is not positive. Bounded, so that no config causes
  /// absurd allocations and a product of two sizes cannot overflow.
  std::int64_t positive(const std::string& field, std::int64_t fallback,
                        std::int64_t limit = kMaxSize);
  /// A number of heads, layers, or other items that are created one by one.
  std::int64_t count(const std::string& field, std::int64_t fallback) {
    return positive(field, fallback, kMaxCount);
  }
  /// A number of token positions; `fallback` may be 0.
  std::int64_t positions(const std::string& field, std::int64_t fallback);
  /// A number in [low, high].
  double number(const std::string& field, double fallback, double low, double high);
  /// A factor or divisor of activations: positive, and not so extreme that fp32 would under- or
  /// overflow.
  double multiplier(const std::string& field, double fallback);
  /// A list of `count` such factors; all 1 if the field is absent.
  std::vector<double> multipliers(const std::string& field, std::size_t count);
  bool boolean(const std::string& field, bool fallback);
  std::string text(const std::string& field, const std::string& fallback);
  /// One of the strings in `known`; anything else is refused, because its meaning could only be
  /// guessed.
  std::string one_of(const std::string& field, const std::string& fallback,
                     std::initializer_list<const char*> known);
  /// A list of strings; empty if the field is absent.
  std::vector<std::string> text_list(const std::string& field);
  /// The value as it is (null if absent), for fields that have several forms.
  const nlohmann::json& raw(const std::string& field);

  /// Declares fields that cannot affect the result.
  void without_effect(std::initializer_list<const char*> fields);
  /// Refuses the field unless it is absent, null, or equal to `accepted`.
  void must_be(const std::string& field, const nlohmann::json& accepted, const std::string& why);
  /// Throws if the config has a field that was neither read nor declared without effect.
  void finish() const;

  /// Throws DataError: "reading FILE: FIELD: WHAT".
  [[noreturn]] void refuse(const std::string& field, const std::string& what) const;

 private:
  const nlohmann::json& config_;
  std::string label_;
  std::set<std::string> seen_;
};

}  // namespace niah::models
