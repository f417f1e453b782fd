// Ranges of code points, and white space, which several text readers need.
#pragma once

#include <algorithm>
#include <span>

namespace niah {

/// Code points from `first` to `last`, both included.
struct CodePointRange {
  char32_t first, last;
};

/// Whether one of the ranges holds the code point.
constexpr bool in_ranges(char32_t code_point, std::span<const CodePointRange> ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const CodePointRange& range) {
    return range.first <= code_point && code_point <= range.last;
  });
}

/// The code points with Unicode's property White_Space, ascending.
inline constexpr CodePointRange kWhiteSpace[] = {
    {0x9, 0xD},       {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};

/// Whether a byte of a text is ASCII white space.
constexpr bool is_ascii_white_space(char byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/// Whether a code point is white space. ASCII comes first, because nearly all of them are.
constexpr bool is_white_space(char32_t code_point) {
  if (code_point < 0x80) return is_ascii_white_space(static_cast<char>(code_point));
  return in_ranges(code_point, kWhiteSpace);
}

}  // namespace niah
