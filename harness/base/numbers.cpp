#include "harness/base/numbers.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <system_error>

#include "harness/base/units.h"

namespace niah {
namespace {

template <typename Value>
std::optional<Value> parse_whole(std::string_view text) {
  Value value{};
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  return error == std::errc() && end == last ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text, IntegerRange range) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  const auto value = parse_whole<std::int64_t>(text);
  return value && range.contains(*value) ? value : std::nullopt;
}

std::optional<double> parse_number(std::string_view text, NumberRange range) {
  const auto value = parse_whole<double>(text);
  return value && std::isfinite(*value) && range.contains(*value) ? value : std::nullopt;
}

std::string range_text(IntegerRange range) {
  const bool below = range.low == IntegerRange{}.low, above = range.high == IntegerRange{}.high;
  if (below && above) return "an integer";
  if (above) return fmt::format("an integer of at least {}", format_count(range.low));
  if (below) return fmt::format("an integer of at most {}", format_count(range.high));
  return fmt::format("an integer from {} to {}", format_count(range.low), format_count(range.high));
}

std::string range_text(IntegerRange range, std::string_view found) {
  std::int64_t ignored = 0;
  const char* last = found.data() + found.size();
  const auto [end, error] = std::from_chars(found.data(), last, ignored);
  if (error != std::errc::result_out_of_range || end != last) return range_text(range);
  return fmt::format("an integer from {} to {}", format_count(range.low), format_count(range.high));
}

std::string range_text(NumberRange range) {
  const bool below = std::isinf(range.low), above = std::isinf(range.high);
  const std::string low = fmt::format("{}{:g}", range.open_low ? "above " : "", range.low);
  const std::string high = fmt::format("{}{:g}", range.open_high ? "below " : "", range.high);
  if (below && above) return "a number";
  if (above)
    return range.open_low ? "a number " + low : fmt::format("a number of at least {}", low);
  if (below)
    return range.open_high ? "a number " + high : fmt::format("a number of at most {}", high);
  return fmt::format("a number from {} to {}", low, high);
}

}  // namespace niah
