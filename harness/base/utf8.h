// UTF-8: checking, decoding and encoding.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace niah {

/// U+FFFD, which replaces invalid bytes.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

/// A code point and the bytes it takes.
struct CodePoint {
  char32_t value = 0;
  std::size_t size = 0;
};

/// The sequence that starts at a byte of a text: how many bytes it has, and whether they form a
/// character. An incomplete sequence is the longest start of a well-formed one, or one stray byte.
struct Utf8Sequence {
  std::size_t size = 0;
  bool is_complete = false;
};

/// The sequence that starts at text[at] (at < text.size()). Surrogates, overlong forms and code
/// points beyond U+10FFFF are not well formed.
Utf8Sequence utf8_sequence_at(std::string_view text, std::size_t at);

/// Byte offset of the first byte that is not part of well-formed UTF-8, or std::string_view::npos.
std::size_t find_invalid_utf8(std::string_view text);

/// The text with every incomplete sequence replaced by one U+FFFD, as Rust's
/// String::from_utf8_lossy and Python's errors="replace" do. (valid_utf8() in text.h replaces each
/// byte of it.)
std::string replace_invalid_utf8(std::string_view text);

/// Whether a byte of well-formed UTF-8 is the first of its character.
constexpr bool begins_code_point(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

/// The code point that starts at text[at]. The text must be well formed and `at` inside it.
inline CodePoint decode_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (byte(1) & 0x3Fu), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu), 3};
  return {
      (lead & 0x07) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu),
      4};
}

/// The code point that ends right before text[end]. The text must be well formed and `end` > 0.
inline CodePoint decode_before(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (!begins_code_point(text[at])) --at;
  return decode_at(text, at);
}

/// The code point that starts at byte `at` (at < text.size()) of any text. A byte that starts no
/// well-formed sequence reads as U+FFFD of one byte.
CodePoint code_point_at(std::string_view text, std::size_t at);

/// Appends the UTF-8 form of a code point.
void append_utf8(std::string& out, char32_t code_point);

}  // namespace niah
