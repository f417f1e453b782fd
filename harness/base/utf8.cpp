#include "harness/base/utf8.h"

#include <cstdint>
#include <cstring>

namespace niah {
namespace {

constexpr std::uint64_t kHighBits = 0x8080808080808080u;

std::size_t skip_ascii(std::string_view text, std::size_t at) {
  while (at + 8 <= text.size()) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & kHighBits) != 0) break;
    at += 8;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

/// The range that the second byte must be in (Unicode Standard, table 3-7).
struct SecondByte {
  unsigned low, high;
};

SecondByte second_byte(unsigned lead) {
  switch (lead) {
    case 0xE0:
      return {0xA0, 0xBF};
    case 0xED:
      return {0x80, 0x9F};
    case 0xF0:
      return {0x90, 0xBF};
    case 0xF4:
      return {0x80, 0x8F};
    default:
      return {0x80, 0xBF};
  }
}

}  // namespace

Utf8Sequence utf8_sequence_at(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t wanted = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  SecondByte range = second_byte(lead);
  for (std::size_t size = 1; size < wanted; ++size, range = {0x80, 0xBF}) {
    if (at + size >= text.size()) return {size, false};
    const auto byte = static_cast<unsigned char>(text[at + size]);
    if (byte < range.low || byte > range.high) return {size, false};
  }
  return {wanted, true};
}

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t at = skip_ascii(text, 0);
  while (at < text.size()) {
    const Utf8Sequence sequence = utf8_sequence_at(text, at);
    if (!sequence.is_complete) return at;
    at += sequence.size;
    if (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) at = skip_ascii(text, at);
  }
  return std::string_view::npos;
}

std::string replace_invalid_utf8(std::string_view text) {
  if (find_invalid_utf8(text) == std::string_view::npos) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Sequence sequence = utf8_sequence_at(text, at);
    out += sequence.is_complete ? text.substr(at, sequence.size) : kReplacementCharacter;
    at += sequence.size;
  }
  return out;
}

CodePoint code_point_at(std::string_view text, std::size_t at) {
  constexpr char32_t kReplacement = 0xFFFD;
  if (static_cast<unsigned char>(text[at]) < 0x80) return decode_at(text, at);
  return utf8_sequence_at(text, at).is_complete ? decode_at(text, at) : CodePoint{kReplacement, 1};
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto put = [&](char32_t bits) { out.push_back(static_cast<char>(bits)); };
  if (code_point < 0x80) return put(code_point);
  if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    return put(0x80 | (code_point & 0x3F));
  }
  if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    return put(0x80 | (code_point & 0x3F));
  }
  put(0xF0 | code_point >> 18);
  put(0x80 | (code_point >> 12 & 0x3F));
  put(0x80 | (code_point >> 6 & 0x3F));
  put(0x80 | (code_point & 0x3F));
}

}  // namespace niah
