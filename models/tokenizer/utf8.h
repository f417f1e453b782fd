// UTF-8 as the tokenizers need it: find what is not well formed, walk what is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace niah::models {

/// Byte offset of the first byte that is not part of well-formed UTF-8 (no surrogates, no overlong
/// forms, at most U+10FFFF), or std::string_view::npos.
std::size_t find_invalid_utf8(std::string_view text);

/// Throws DataError naming the offset and value of the first byte that is not well-formed UTF-8:
/// the reference tokenizers take text, not bytes.
void require_utf8(std::string_view text);

/// The text with every maximal run of bytes that begins a sequence but does not complete it, and
/// every other stray byte, replaced by one U+FFFD: as Rust's String::from_utf8_lossy and Python's
/// errors="replace" do.
std::string replace_invalid_utf8(std::string_view text);

/// The text as it may stand in a one-line message: control characters become spaces, what is not
/// UTF-8 becomes U+FFFD.
std::string one_line(std::string_view text);

/// One code point of well-formed UTF-8 and the bytes it takes.
struct CodePoint {
  char32_t value = 0;
  std::size_t size = 0;
};

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
  while ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return decode_at(text, at);
}

/// Appends the UTF-8 form of a code point.
void append_utf8(std::string& out, char32_t code_point);

}  // namespace niah::models
