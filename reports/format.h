// Numbers and names as reports write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reports/analysis/statistics.h"

namespace niah::reports {

/// What stands where there is no number.
inline constexpr std::string_view kGap = "–";
inline const std::string kNone(kGap);

/// 0.4166 → "41.7" (no percent sign).
std::string percent(double share, int decimals = 1);

/// -0.113 → "−11", with a real minus sign (no percent sign). What is not quite 0 or 100 gets a
/// decimal: 0.996 → "99.6".
std::string percent_signed(double share);

/// 0.4166 → "42 %": for sentences.
std::string percent_words(double share);

/// A drop that n would show, in points and never too small: 0.06612 → "6.7".
std::string detectable_points(double share);

/// "one of 9 tests", "the one test": over how many Holm adjusts where a drop that n would show is
/// quoted.
std::string among_tests(std::int64_t tests);

/// {0.551, 0.92} → "55.1–92.0", in percent.
std::string percent_range(const Interval& interval);

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

/// What a task of RULER asks, for newcomers; "" for a task of another name.
std::string task_note(std::string_view task);

/// "S3 at 64K"; without a length (reasoning) the task alone.
std::string cell_label(std::string_view task, std::int64_t length);

/// The first `code_points` of well-formed UTF-8, with "…" when there is more.
std::string shorten(std::string_view utf8, std::size_t code_points);

/// The text with a space for each control character, line separator and mark of writing direction:
/// it stays on its line, moves no terminal, and what follows it stays where it is.
std::string one_line(std::string text);

/// The text in lines of at most `width` code points, broken at spaces; lines after the first begin
/// with `indent`.
std::string wrap(std::string_view utf8, std::size_t width, std::string_view indent);

/// "1 cell", "3 cells".
std::string counted(std::int64_t count, std::string_view noun);

/// A name for a file: lower-case letters, digits and dashes only.
std::string file_stem(std::string_view name);

}  // namespace niah::reports
