#include "reports/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>

#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/base/utf8.h"

namespace niah::reports {
namespace {

/// Line and paragraph separators, and bidirectional controls, which would reorder the text after
/// them.
constexpr std::array<std::string_view, 14> kLayoutMarks = {
    "\u2028", "\u2029", "\u200E", "\u200F", "\u061C", "\u202A", "\u202B",
    "\u202C", "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069"};

}  // namespace

std::string percent(double share, int decimals) {
  return fmt::format("{:.{}f}", 100 * share, decimals);
}

std::string detectable_points(double share) {
  // Rounded up, so that the stated drop is detected with at least the stated probability.
  return fmt::format("{:.1f}", std::ceil(1000 * share - 1e-9) / 10);
}

std::string percent_signed(double share) {
  std::string digits = percent(std::abs(share), 0);
  const bool rounded_to_end =
      (digits == "100" && std::abs(share) < 1) || (digits == "0" && share != 0);
  if (rounded_to_end) digits = percent(std::abs(share), 1);
  if (digits == "0.0" || digits == "100.0") digits = digits == "0.0" ? "0" : "100";
  return share < 0 && digits != "0" ? "−" + digits : digits;
}

std::string percent_words(double share) { return percent_signed(share) + " %"; }

std::string among_tests(std::int64_t tests) {
  return tests == 1 ? "the one test" : fmt::format("one of {} tests", tests);
}

std::string percent_range(const Interval& interval) {
  return percent(interval.low) + "–" + percent(interval.high);
}

std::string recovered_range(const Recovered& recovered) {
  const auto end = [](const std::optional<double>& value, const char* unbounded) {
    return value ? percent_signed(*value) : std::string(unbounded);
  };
  return end(recovered.low, "−∞") + " to " + end(recovered.high, "∞");
}

std::string p_value(double p) { return p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", p); }

std::string p_words(double p) {
  const std::string value = p_value(p);
  return value.starts_with('<') ? "p " + value : "p = " + value;
}

std::string signed_number(double value, int decimals) {
  const std::string digits = fmt::format("{:.{}f}", std::abs(value), decimals);
  if (digits.find_first_not_of("0.") == std::string::npos) return digits;
  return (value < 0 ? "−" : "+") + digits;
}

std::string nats_range(const Interval& interval) {
  return signed_number(interval.low, 2) + " to " + signed_number(interval.high, 2);
}

std::string task_label(std::string_view task) {
  std::string label(task);
  const bool short_name = task.size() == 2 && task[0] == 's' && task[1] >= '0' && task[1] <= '9';
  if (short_name) label[0] = 'S';
  return label;
}

std::string task_note(std::string_view task) {
  if (task == "s1") return "a 7-digit number hidden in repeated filler";
  if (task == "s2") return "a 7-digit number hidden in ordinary text";
  if (task == "s3") return "a UUID of 36 characters hidden in ordinary text";
  return "";
}

std::string cell_label(std::string_view task, std::int64_t length) {
  return length == 0 ? task_label(task) : task_label(task) + " at " + format_length(length);
}

std::string sample_id(std::string_view task, std::int64_t length, std::int64_t index) {
  return length == 0 ? fmt::format("{}#{}", task, index)
                     : fmt::format("{}@{}#{}", task, format_length(length), index);
}

std::string shorten(std::string_view utf8, std::size_t code_points) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    if (begins_code_point(utf8[i]) && ++seen > code_points)
      return std::string(utf8.substr(0, i)) + "…";
  }
  return std::string(utf8);
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  // Some terminals interpret C1 controls (U+0080 to U+009F).
  for (std::size_t at = 0; (at = text.find('\xC2', at)) != std::string::npos; ++at)
    if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0)
      text.replace(at, 2, " ");
  for (const std::string_view mark : kLayoutMarks) text = replace_all(std::move(text), mark, " ");
  return text;
}

std::string unbroken(std::string text) {
  return replace_all(replace_all(std::move(text), " %", "\u00A0%"), "n = ", "n\u00A0=\u00A0");
}

std::string with_fingerprint_named(const std::string& description) {
  constexpr std::size_t kDigits = 16;
  const std::size_t space = description.rfind(' ');
  if (space == description.npos || description.size() - space - 1 != kDigits ||
      description.find_first_not_of("0123456789abcdef", space + 1) != description.npos)
    return description;
  return fmt::format("{} (fingerprint {})", description.substr(0, space),
                     description.substr(space + 1));
}

std::string counted(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", format_count(count), noun, count == 1 ? "" : "s");
}

std::string file_stem(std::string_view name) {
  std::string stem;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte < 0x80 && std::isalnum(byte) != 0;
    if (plain) {
      stem += static_cast<char>(std::tolower(byte));
    } else if (!stem.empty() && stem.back() != '-') {
      stem += '-';
    }
  }
  while (!stem.empty() && stem.back() == '-') stem.pop_back();
  constexpr std::size_t kLongest = 80;
  return stem.empty() ? "unnamed" : stem.substr(0, kLongest);
}

}  // namespace niah::reports
