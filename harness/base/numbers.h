// Numbers written as text, parsed in the same way everywhere: in configs, recipes, options and ids.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace niah {

/// A range of valid integers, both ends included.
struct IntegerRange {
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
  bool contains(std::int64_t value) const { return value >= low && value <= high; }
};

/// A range of valid numbers; each end is included or not.
struct NumberRange {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;   ///< `low` itself is not in it
  bool open_high = false;  ///< `high` itself is not in it
  bool contains(double value) const {
    return (open_low ? value > low : value >= low) && (open_high ? value < high : value <= high);
  }
};

// Ranges that several places use.
inline constexpr IntegerRange kPositive{1, std::numeric_limits<std::int64_t>::max()};
inline constexpr IntegerRange kNotNegative{0, std::numeric_limits<std::int64_t>::max()};
/// Samples of one cell. Bounded, because all of them are priced before the first is asked.
inline constexpr IntegerRange kSampleCount{1, 1'000'000};
/// The longest context, in tokens: 1024M.
inline constexpr std::int64_t kLongestLength = std::int64_t{1} << 30;
/// Tokens of one answer.
inline constexpr IntegerRange kTokenCount{1, 1'000'000};

/// The whole of `text` as a decimal integer of that range: an optional minus sign and digits
/// without leading zeros; no plus sign, space, point or exponent. nullopt for anything else, also
/// for what an int64 does not hold.
std::optional<std::int64_t> parse_integer(std::string_view text, IntegerRange range = {});

/// The whole of `text` as a decimal number of that range, such as -0.5 or 1e-4; nullopt for
/// anything else, infinities and "nan" included.
std::optional<double> parse_number(std::string_view text, NumberRange range = {});

/// "an integer from 1 to 1,000,000", "an integer of at least 0", "an integer".
std::string range_text(IntegerRange range);
/// The same for the error about `found`, which is not in the range: if it overflows an int64, with
/// both ends.
std::string range_text(IntegerRange range, std::string_view found);
/// "a number from 0 to below 1", "a number above 0", "a number".
std::string range_text(NumberRange range);

}  // namespace niah
