#include "models/tokenizer/utf8.h"

#include <fmt/format.h>

#include "harness/base/error.h"
#include "harness/base/utf8.h"

namespace niah::models {

void require_utf8(std::string_view text) {
  const std::size_t at = find_invalid_utf8(text);
  if (at == std::string_view::npos) return;
  throw DataError(
      fmt::format("encoding a text of {} bytes: byte {} (0x{:02x}) is not part of well-formed "
                  "UTF-8; convert the text to UTF-8 first",
                  text.size(), at, static_cast<unsigned char>(text[at])));
}

std::string message_line(std::string_view text) {
  std::string out = replace_invalid_utf8(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = ' ';
  }
  return out;
}

}  // namespace niah::models
