#include "models/tokenizer/utf8.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

#include "harness/base/error.h"

namespace niah::models {
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

/// What stands at text[at]: how many bytes belong together, and whether they are a character.
struct Sequence {
  std::size_t size;
  bool complete;
};

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

Sequence sequence_at(std::string_view text, std::size_t at) {
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

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t at = skip_ascii(text, 0);
  while (at < text.size()) {
    const Sequence sequence = sequence_at(text, at);
    if (!sequence.complete) return at;
    at += sequence.size;
    if (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) at = skip_ascii(text, at);
  }
  return std::string_view::npos;
}

std::string replace_invalid_utf8(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  if (find_invalid_utf8(text) == std::string_view::npos) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Sequence sequence = sequence_at(text, at);
    out += sequence.complete ? text.substr(at, sequence.size) : kReplacement;
    at += sequence.size;
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string out = replace_invalid_utf8(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = ' ';
  }
  return out;
}

void require_utf8(std::string_view text) {
  const std::size_t at = find_invalid_utf8(text);
  if (at == std::string_view::npos) return;
  throw DataError(
      fmt::format("encoding a text of {} bytes: byte {} (0x{:02x}) is not part of well-formed "
                  "UTF-8; convert the text to UTF-8 first",
                  text.size(), at, static_cast<unsigned char>(text[at])));
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

}  // namespace niah::models
