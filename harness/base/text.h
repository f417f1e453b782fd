// Text: UTF-8, near names for "did you mean", escaping for people and for HTML.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace niah {

/// The text with every byte that is not part of well-formed UTF-8 replaced by U+FFFD, so that JSON
/// and HTML can hold it.
std::string valid_utf8(std::string_view text);

/// The text as one line that a terminal can show: valid UTF-8, control characters as \n, \t, \x1b.
std::string single_line(std::string_view text);

/// The text, or its first `most` bytes and "..." where it is longer: what a message shows of
/// something that may be of any length.
std::string cut_short(std::string text, std::size_t most);

/// The text in lines of at most `width` code points, broken at spaces (a longer word stays whole);
/// lines after the first begin with `indent`, and the first after `column` code points.
std::string wrap(std::string_view utf8, std::size_t width, std::string_view indent,
                 std::size_t column = 0);

/// Each line of the text in lines of at most `width` code points, as wrap() does, those after the
/// first indented as what the line's last wide gap sets off, or by two more than the line. Commands
/// to copy stay whole.
std::string fit_lines(std::string_view utf8, std::size_t width);

/// The text with every `from` replaced by `to`; `from` must not be empty.
std::string replace_all(std::string text, std::string_view from, std::string_view to);

/// Line and column of a byte in a text, both from 1; the column in bytes.
struct TextPlace {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// The place of byte `at`, or of the text's end if the text is shorter.
TextPlace place_of_byte(std::string_view text, std::size_t at);

/// Number of code points of well-formed UTF-8.
std::size_t count_code_points(std::string_view utf8);

/// Byte at which code point `index` of well-formed UTF-8 begins; the text's size if there is none.
std::size_t byte_of_code_point(std::string_view utf8, std::int64_t index);

/// The Levenshtein distance in bytes: insertions, deletions and replacements.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `name` by edit distance, or "" when none is near enough to be meant.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// ", did you mean 'x'?" or "".
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

/// Escapes &, <, >, " and ' for text and attributes of HTML and XML (SVG, JUnit). What no XML 1.0
/// document may hold, escaped or not, becomes U+FFFD: control characters other than newline and
/// tab, U+FFFE, U+FFFF, and bytes that are not UTF-8.
std::string escape_html(std::string_view text);

}  // namespace niah
