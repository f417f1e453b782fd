#include "models/checkpoint/config_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "harness/base/error.h"
#include "harness/base/json_integer.h"
#include "harness/base/strict_json.h"
#include "harness/base/text.h"

namespace niah::models {
namespace {

const nlohmann::json kNull;

constexpr double kSmallestMultiplier = 1e-9, kLargestMultiplier = 1e9;

}  // namespace

ConfigReader::ConfigReader(const nlohmann::json& config, std::string label)
    : config_(config), label_(std::move(label)) {
  if (!config_.is_object())
    throw DataError(fmt::format("reading {}: a JSON object was expected", label_));
}

void ConfigReader::refuse(const std::string& field, const std::string& what) const {
  throw DataError(fmt::format("reading {}: {}: {}", label_, valid_utf8(field), what));
}

bool ConfigReader::has(const std::string& field) const { return config_.contains(field); }

const nlohmann::json& ConfigReader::raw(const std::string& field) {
  seen_.insert(field);
  const auto found = config_.find(field);
  return found == config_.end() ? kNull : *found;
}

bool ConfigReader::is_null(const std::string& field) { return raw(field).is_null(); }

std::int64_t ConfigReader::integer(const std::string& field, std::int64_t fallback,
                                   std::int64_t low, std::int64_t high) {
  const auto& value = raw(field);
  if (value.is_null()) return fallback;
  if (!value.is_number_integer())
    refuse(field, fmt::format("an integer was expected, found {}", json_line(value)));
  const auto number = value.get<std::int64_t>();
  if (!is_integer_of<std::int64_t>(value) || number < low || number > high)
    refuse(field, fmt::format("an integer from {} to {} was expected, found {}", low, high,
                              json_line(value)));
  return number;
}

std::int64_t ConfigReader::positive(const std::string& field, std::int64_t fallback,
                                    std::int64_t limit) {
  const std::int64_t value = integer(field, fallback, std::numeric_limits<std::int64_t>::min(),
                                     std::numeric_limits<std::int64_t>::max());
  if (value <= 0 || value > limit)
    refuse(field, fmt::format("a positive integer up to {} was expected, found {}", limit, value));
  return value;
}

std::int64_t ConfigReader::positions(const std::string& field, std::int64_t fallback) {
  return integer(field, fallback, 1, kMaxPositions);
}

double ConfigReader::number(const std::string& field, double fallback, double low, double high) {
  const auto& value = raw(field);
  if (!value.is_null() && !value.is_number())
    refuse(field, fmt::format("a number was expected, found {}", json_line(value)));
  const double number = value.is_null() ? fallback : value.get<double>();
  if (!(number >= low && number <= high))
    refuse(field, fmt::format("a number from {} to {} was expected, found {}", low, high, number));
  return number;
}

double ConfigReader::multiplier(const std::string& field, double fallback) {
  return number(field, fallback, kSmallestMultiplier, kLargestMultiplier);
}

std::vector<double> ConfigReader::multipliers(const std::string& field, std::size_t count) {
  const auto& value = raw(field);
  if (value.is_null()) return std::vector<double>(count, 1);
  const auto is_multiplier = [](const nlohmann::json& one) {
    return one.is_number() && one.get<double>() >= kSmallestMultiplier &&
           one.get<double>() <= kLargestMultiplier;
  };
  if (!value.is_array() || value.size() != count ||
      !std::all_of(value.begin(), value.end(), is_multiplier))
    refuse(field, fmt::format("a list of {} numbers from {} to {} was expected, found {}", count,
                              kSmallestMultiplier, kLargestMultiplier, json_line(value)));
  return value.get<std::vector<double>>();
}

bool ConfigReader::boolean(const std::string& field, bool fallback) {
  const auto& value = raw(field);
  if (value.is_null()) return fallback;
  if (!value.is_boolean())
    refuse(field, fmt::format("true or false was expected, found {}", json_line(value)));
  return value.get<bool>();
}

std::string ConfigReader::text(const std::string& field, const std::string& fallback) {
  const auto& value = raw(field);
  if (value.is_null()) return fallback;
  if (!value.is_string())
    refuse(field, fmt::format("a string was expected, found {}", json_line(value)));
  return value.get<std::string>();
}

std::string ConfigReader::one_of(const std::string& field, const std::string& fallback,
                                 std::initializer_list<const char*> known) {
  const std::string value = text(field, fallback);
  const std::vector<std::string> names(known.begin(), known.end());
  if (std::find(names.begin(), names.end(), value) == names.end())
    refuse(field, fmt::format("'{}' is not known; {} are{}", valid_utf8(value),
                              fmt::join(names, ", "), did_you_mean(value, names)));
  return value;
}

std::vector<std::string> ConfigReader::text_list(const std::string& field) {
  const auto& value = raw(field);
  std::vector<std::string> list;
  if (value.is_null()) return list;
  if (!value.is_array())
    refuse(field, fmt::format("a list of strings was expected, found {}", json_line(value)));
  for (const auto& item : value) {
    if (!item.is_string())
      refuse(field, fmt::format("a list of strings was expected, found {} in it", json_line(item)));
    list.push_back(item.get<std::string>());
  }
  return list;
}

void ConfigReader::without_effect(std::initializer_list<const char*> fields) {
  for (const char* field : fields) seen_.insert(field);
}

void ConfigReader::must_be(const std::string& field, const nlohmann::json& accepted,
                           const std::string& why) {
  const auto& value = raw(field);
  if (value.is_null() || value == accepted) return;
  refuse(field, fmt::format("{} is not supported, only {} is ({})", json_line(value),
                            json_line(accepted), why));
}

void ConfigReader::finish() const {
  for (const auto& [field, value] : config_.items()) {
    if (seen_.contains(field)) continue;
    const std::vector<std::string> known(seen_.begin(), seen_.end());
    refuse(field, fmt::format("this field is not known here and could change the result (its value "
                              "is {}){}",
                              json_line(value), did_you_mean(field, known)));
  }
}

}  // namespace niah::models
