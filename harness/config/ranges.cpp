#include "harness/config/ranges.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string_view>

#include "harness/base/error.h"
#include "harness/base/numbers.h"
#include "harness/base/text.h"
#include "harness/base/units.h"

namespace niah {
namespace {

/// More cells than any sweep has; a larger number is a slip of a step.
constexpr std::size_t kMostSteps = 1000;

/// A range's parts as they are written. `end` is empty where the text is no range.
struct RangeText {
  std::string begin, end, step;
};

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == text.npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(' ') + 1 - begin));
}

RangeText split_range(std::string_view text) {
  RangeText range;
  const std::size_t dots = text.find("..");
  range.begin = trimmed(text.substr(0, dots));
  if (dots == text.npos) return range;
  const std::string_view rest = text.substr(dots + 2);
  const std::size_t step = rest.find(" step ");
  range.end = trimmed(rest.substr(0, step));
  if (step != rest.npos) range.step = trimmed(rest.substr(step + 6));
  return range;
}

std::int64_t require_length(const std::string& text) {
  if (const auto length = parse_length(text)) return *length;
  throw UsageError(
      fmt::format("expected a length such as 4096 or 4K, up to {}, or a range such as 4K..64K or "
                  "4K..64K step 4K, got '{}'",
                  format_length(kLongestLength), valid_utf8(text)));
}

double require_depth(std::string text, NumberRange range = {0, 100}) {
  const std::string found = text;
  if (text.ends_with('%')) text.pop_back();
  if (const auto depth = parse_number(text, range)) return *depth;
  throw UsageError(
      fmt::format("expected depths in percent from 0 to 100, such as 25 or 12.5%, or a range such "
                  "as 0..100 step 10, got '{}'",
                  valid_utf8(found)));
}

UsageError too_many() { return UsageError(fmt::format("more than {} steps", kMostSteps)); }

}  // namespace

std::vector<std::int64_t> parse_length_range(const std::string& text) {
  const RangeText range = split_range(text);
  const std::int64_t begin = require_length(range.begin);
  if (range.end.empty() && text.find("..") == text.npos) return {begin};
  const std::int64_t end = require_length(range.end);
  const std::int64_t step = range.step.empty() ? 0 : require_length(range.step);  // 0: doubled
  if (begin >= end)
    throw UsageError(fmt::format("'{}': a range goes from a smaller to a larger length", text));
  std::vector<std::int64_t> lengths;
  std::int64_t next = begin;
  for (; next <= end; next = step > 0 ? next + step : 2 * next) {
    if (lengths.size() == kMostSteps) throw too_many();
    lengths.push_back(next);
  }
  if (lengths.back() != end)
    throw UsageError(fmt::format("'{}': {} is not reached {}: {} comes before it and {} after",
                                 text, format_length(end),
                                 step > 0 ? "in steps of " + format_length(step) : "by doubling",
                                 format_length(lengths.back()), format_length(next)));
  return lengths;
}

std::vector<double> parse_depth_range(const std::string& text) {
  const RangeText range = split_range(text);
  const double begin = require_depth(range.begin);
  if (range.end.empty() && text.find("..") == text.npos) return {begin};
  const double end = require_depth(range.end);
  if (range.step.empty())
    throw UsageError(fmt::format("'{}': a range of depths needs its step, such as {} step 10",
                                 valid_utf8(text), valid_utf8(text)));
  const double step = require_depth(range.step, {.low = 0, .high = 100, .open_low = true});
  const double steps = std::round((end - begin) / step);
  if (steps > static_cast<double>(kMostSteps)) throw too_many();
  constexpr double kRounding = 1e-9;
  if (steps < 1 || std::abs(begin + steps * step - end) > kRounding)
    throw UsageError(
        fmt::format("'{}': {} is not reached from {} in steps of {}", text, end, begin, step));
  std::vector<double> depths;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(steps); ++i)
    depths.push_back(begin + static_cast<double>(i) * step);
  depths.push_back(end);
  return depths;
}

std::vector<double> even_depths(std::int64_t count) {
  if (count == 1) return {50};
  std::vector<double> depths;
  for (std::int64_t i = 0; i < count; ++i)
    depths.push_back(100 * static_cast<double>(i) / static_cast<double>(count - 1));
  return depths;
}

std::string depth_text(double depth) { return fmt::format("{}%", depth); }

}  // namespace niah
