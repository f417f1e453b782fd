// Formatting of numbers and names in reports.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reports/analysis/statistics.h"

namespace niah::reports {

/// Shown in place of a missing number.
inline constexpr std::string_view kGap = "–";
/// The same as a std::string.
inline const std::string kNone(kGap);
/// Shown in place of a number that nothing was asked for.
inline const std::string kNotAsked("·");

/// 0.4166 → "41.7" (no percent sign).
std::string percent(double share, int decimals = 1);

/// -0.113 → "−11", with a real minus sign (no percent sign). A value that would round to 0 or 100
/// without being it gets a decimal: 0.996 → "99.6".
std::string percent_signed(double share);

/// 0.4166 → "42 %": for sentences.
std::string percent_words(double share);

/// A detectable drop in percentage points, rounded up: 0.06612 → "6.7".
std::string detectable_points(double share);

/// "one of 9 tests", "the one test": over how many Holm adjusts where a drop that n would show is
/// quoted.
std::string among_tests(std::int64_t tests);

/// {0.551, 0.92} → "55.1–92.0", in percent.
std::string percent_range(const Interval& interval);

/// {0.551, 0.92} → "55 to 92", in percent; an end that is unbounded is "−∞" or "∞".
std::string recovered_range(const Recovered& recovered);

/// 0.0341 → "0.034", 0.00002 → "< 0.001".
std::string p_value(double p);

/// "p = 0.034", "p < 0.001": for sentences.
std::string p_words(double p);

/// A signed number with a real minus sign: "+12.5", "−3.0", "0.0".
std::string signed_number(double value, int decimals = 1);

/// {-0.52, 0.104} → "−0.52 to +0.10".
std::string nats_range(const Interval& interval);

/// "s3" → "S3"; other names as they are.
std::string task_label(std::string_view task);

/// A short explanation of the task "s1", "s2" or "s3" for newcomers; "" for any other task.
std::string task_note(std::string_view task);

/// "S3 at 64K"; without a length (reasoning) the task alone.
std::string cell_label(std::string_view task, std::int64_t length);

/// "s3@64K#7", as commands take a sample; without a length (reasoning) "gsm8k#7".
std::string sample_id(std::string_view task, std::int64_t length, std::int64_t index);

/// The first `code_points` code points of valid UTF-8, followed by "…" if there are more.
std::string shorten(std::string_view utf8, std::size_t code_points);

/// The text with each control character, line separator and bidirectional control replaced by a
/// space, so that it stays on its line and can neither control a terminal nor reorder what follows.
std::string one_line(std::string text);

/// The text with spaces that no line ends at in "40 %" and "n = 40".
std::string unbroken(std::string text);

/// "kjv f4b96b3961e43ead" → "kjv (fingerprint f4b96b3961e43ead)": says what the digits at the end
/// of a haystack's or tokenizer's description are.
std::string with_fingerprint_named(const std::string& description);

/// "1 cell", "3 cells".
std::string counted(std::int64_t count, std::string_view noun);

/// A file name of lower-case letters, digits and dashes made from `name`; "unnamed" if none are
/// left.
std::string file_stem(std::string_view name);

}  // namespace niah::reports
