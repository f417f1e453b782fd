// Strict reading of JSON objects from files: every wrong field throws a DataError that names it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace niah::reports {

/// The bound of a range that is open at that end.
inline constexpr double kUnbounded = std::numeric_limits<double>::infinity();

/// Reads the fields of one JSON object and checks their types and ranges. Unless said otherwise, a
/// field must be present. Throws DataError naming the object, the field, what was found and what
/// was expected.
class FieldReader {
 public:
  /// `what` names the object in errors ("a record"). Throws DataError if `json` is not an object.
  /// `json` must outlive the reader.
  FieldReader(const nlohmann::json& json, std::string what);

  std::string text(const char* name);
  /// `fallback` if the field is absent.
  std::string text_or(const char* name, const std::string& fallback);
  std::vector<std::string> texts(const char* name);
  std::int64_t integer(const char* name, std::int64_t low = 0,
                       std::int64_t high = std::numeric_limits<std::int64_t>::max());
  std::uint64_t unsigned_integer(const char* name);
  std::vector<std::int64_t> integers(const char* name, std::int64_t low = 0);
  double number(const char* name, double low, double high);
  std::vector<double> numbers(const char* name, double low, double high);
  /// nullopt for a field that is absent or null.
  std::optional<double> optional_number(const char* name, double low, double high);
  std::optional<std::int64_t> optional_integer(const char* name, std::int64_t low);
  /// The field's JSON value, which must be an object or an array respectively.
  const nlohmann::json& object(const char* name);
  const nlohmann::json& array(const char* name);
  /// false if the field is absent.
  bool optional_flag(const char* name);
  /// nullopt for a field that is absent or null.
  std::optional<bool> optional_bool(const char* name);
  /// An object of strings, such as {"dtype": "fp32"}; empty if the field is absent.
  std::map<std::string, std::string> optional_text_map(const char* name);
  /// An object of counts, such as {"wrong_value": 3}.
  std::vector<std::pair<std::string, std::int64_t>> counts(const char* name);

  /// Throws DataError if the object has a field that was not read before this call.
  void refuse_unknown() const;

 private:
  const nlohmann::json& required(const char* name);
  const nlohmann::json* find(const char* name);
  [[noreturn]] void fail(const char* name, const nlohmann::json& found,
                         const std::string& expected) const;

  const nlohmann::json& json_;
  std::string what_;
  std::vector<std::string> known_;
};

/// Parses JSON text. Throws DataError naming the place of the error: "not valid JSON, line 3,
/// column 12".
nlohmann::json parse_json(std::string_view text);

/// The value as short text for error messages: an array or object by its size, a long string by its
/// beginning.
std::string excerpt(const nlohmann::json& json);

}  // namespace niah::reports
