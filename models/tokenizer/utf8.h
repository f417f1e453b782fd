// Checking that input is UTF-8, and showing text in error messages.
#pragma once

#include <string>
#include <string_view>

namespace niah::models {

/// Throws DataError naming the offset and value of the first byte that is not well-formed UTF-8;
/// like the reference, tokenizers here accept text, not arbitrary bytes.
void require_utf8(std::string_view text);

/// The text made fit for a one-line message: control characters become spaces, bytes that are not
/// UTF-8 become U+FFFD.
std::string message_line(std::string_view text);

}  // namespace niah::models
