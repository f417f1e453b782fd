#include "reports/json_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/json_integer.h"
#include "harness/base/text.h"

namespace niah::reports {
namespace {

using nlohmann::json;

std::optional<std::int64_t> as_int64(const json& value) {
  return is_integer_of<std::int64_t>(value) ? std::optional(value.get<std::int64_t>())
                                            : std::nullopt;
}

std::string range(double low, double high) {
  if (std::isinf(low) && std::isinf(high)) return "a number";
  if (std::isinf(high)) return fmt::format("a number of at least {}", low);
  if (std::isinf(low)) return fmt::format("a number of at most {}", high);
  return fmt::format("a number from {} to {}", low, high);
}

}  // namespace

json parse_json(std::string_view text) {
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    const TextPlace place = place_of_byte(text, error.byte == 0 ? 0 : error.byte - 1);
    throw DataError(fmt::format("not valid JSON, line {}, column {}", place.line, place.column));
  } catch (const json::exception&) {
    throw DataError("not valid JSON");  // such as a number out of range
  }
}

std::string excerpt(const json& value) {
  constexpr std::size_t kLongest = 40;
  // Never dump the whole value: a hostile file may have megabytes of it.
  if (value.is_structured()) return fmt::format("{} of {} items", value.type_name(), value.size());
  std::string text =
      value.is_string()
          ? fmt::format("\"{}\"",
                        valid_utf8(value.get_ref<const std::string&>().substr(0, kLongest)))
          : value.dump();
  return text;
}

FieldReader::FieldReader(const json& json, std::string what) : json_(json), what_(std::move(what)) {
  if (!json.is_object())
    throw DataError(
        fmt::format("reading {}: found {}, a JSON object was expected", what_, excerpt(json)));
}

const json* FieldReader::find(const char* name) {
  known_.emplace_back(name);
  const auto at = json_.find(name);
  return at == json_.end() ? nullptr : &*at;
}

const json& FieldReader::required(const char* name) {
  const json* value = find(name);
  if (value == nullptr)
    throw DataError(fmt::format("reading {}: the field '{}' is missing", what_, name));
  return *value;
}

void FieldReader::fail(const char* name, const json& found, const std::string& expected) const {
  throw DataError(fmt::format("reading {}: the field '{}' is {}, expected {}", what_, name,
                              excerpt(found), expected));
}

std::string FieldReader::text(const char* name) {
  const json& value = required(name);
  if (!value.is_string()) fail(name, value, "a string");
  return value.get<std::string>();
}

std::string FieldReader::text_or(const char* name, const std::string& fallback) {
  return json_.contains(name) ? text(name) : (known_.emplace_back(name), fallback);
}

std::vector<std::string> FieldReader::texts(const char* name) {
  std::vector<std::string> out;
  for (const json& item : array(name)) {
    if (!item.is_string()) fail(name, item, "an array of strings");
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::int64_t FieldReader::integer(const char* name, std::int64_t low, std::int64_t high) {
  const json& value = required(name);
  const auto number = as_int64(value);
  if (!number || *number < low || *number > high)
    fail(name, value,
         high == std::numeric_limits<std::int64_t>::max()
             ? fmt::format("an integer of at least {}", low)
             : fmt::format("an integer from {} to {}", low, high));
  return *number;
}

std::uint64_t FieldReader::unsigned_integer(const char* name) {
  const json& value = required(name);
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  const auto number = as_int64(value);
  if (!number || *number < 0) fail(name, value, "an integer of at least 0");
  return static_cast<std::uint64_t>(*number);
}

std::vector<std::int64_t> FieldReader::integers(const char* name, std::int64_t low) {
  std::vector<std::int64_t> out;
  for (const json& item : array(name)) {
    const auto number = as_int64(item);
    if (!number || *number < low)
      fail(name, item, fmt::format("an array of integers of at least {}", low));
    out.push_back(*number);
  }
  return out;
}

std::vector<double> FieldReader::numbers(const char* name, double low, double high) {
  std::vector<double> out;
  for (const json& item : array(name)) {
    if (!item.is_number() || !(item.get<double>() >= low && item.get<double>() <= high))
      fail(name, item, fmt::format("a list of numbers from {} to {}", low, high));
    out.push_back(item.get<double>());
  }
  return out;
}

double FieldReader::number(const char* name, double low, double high) {
  const json& value = required(name);
  // The negated form also refuses NaN.
  if (!value.is_number() || !(value.get<double>() >= low && value.get<double>() <= high))
    fail(name, value, range(low, high));
  return value.get<double>();
}

std::optional<double> FieldReader::optional_number(const char* name, double low, double high) {
  const json* value = find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return number(name, low, high);
}

std::optional<std::int64_t> FieldReader::optional_integer(const char* name, std::int64_t low) {
  const json* value = find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return integer(name, low);
}

const json& FieldReader::object(const char* name) {
  const json& value = required(name);
  if (!value.is_object()) fail(name, value, "an object");
  return value;
}

const json& FieldReader::array(const char* name) {
  const json& value = required(name);
  if (!value.is_array()) fail(name, value, "an array");
  return value;
}

bool FieldReader::optional_flag(const char* name) {
  const json* value = find(name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) fail(name, *value, "true or false");
  return value->get<bool>();
}

std::optional<bool> FieldReader::optional_bool(const char* name) {
  const json* value = find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_boolean()) fail(name, *value, "true or false");
  return value->get<bool>();
}

std::map<std::string, std::string> FieldReader::optional_text_map(const char* name) {
  std::map<std::string, std::string> out;
  if (find(name) == nullptr) return out;
  for (const auto& [key, value] : object(name).items()) {
    if (!value.is_string()) fail(name, value, "an object of strings");
    out.emplace(key, value.get<std::string>());
  }
  return out;
}

std::vector<std::pair<std::string, std::int64_t>> FieldReader::counts(const char* name) {
  std::vector<std::pair<std::string, std::int64_t>> out;
  for (const auto& [key, value] : object(name).items()) {
    const auto count = as_int64(value);
    if (!count || *count < 0) fail(name, value, "an object of counts");
    out.emplace_back(key, *count);
  }
  return out;
}

void FieldReader::refuse_unknown() const {
  for (const auto& [key, value] : json_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    throw DataError(fmt::format("reading {}: unknown field '{}'{}", what_, key.substr(0, 60),
                                did_you_mean(key.substr(0, 60), known_)));
  }
}

}  // namespace niah::reports
