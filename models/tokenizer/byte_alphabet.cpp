#include "models/tokenizer/byte_alphabet.h"

#include <array>

#include "harness/base/utf8.h"

namespace niah::models {
namespace {

constexpr char32_t kFirstStandIn = 0x100;
constexpr std::size_t kAlphabetEnd = 0x144;  ///< one past the last code point in use

constexpr bool prints(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<char32_t, 256> symbols{};
  std::array<int, kAlphabetEnd> bytes{};  ///< by code point; -1: represents no byte
};

constexpr Alphabet make_alphabet() {
  Alphabet out;
  out.bytes.fill(-1);
  char32_t next = kFirstStandIn;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char32_t symbol = prints(byte) ? byte : next++;
    out.symbols[byte] = symbol;
    out.bytes[symbol] = static_cast<int>(byte);
  }
  return out;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::string byte_symbol(unsigned char byte) {
  std::string out;
  append_utf8(out, kAlphabet.symbols[byte]);
  return out;
}

std::optional<std::string> bytes_of_symbols(std::string_view token) {
  std::string out;
  for (std::size_t at = 0; at < token.size();) {
    const CodePoint point = decode_at(token, at);
    if (point.value >= kAlphabetEnd || kAlphabet.bytes[point.value] < 0) return std::nullopt;
    out.push_back(static_cast<char>(kAlphabet.bytes[point.value]));
    at += point.size;
  }
  return out;
}

}  // namespace niah::models
