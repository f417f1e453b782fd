// UTF-8 as the tokenizers ask for it, and as their messages show it.
#pragma once

#include <string>
#include <string_view>

namespace niah::models {

/// Throws DataError naming the offset and value of the first byte that is not well-formed UTF-8:
/// the reference tokenizers take text, not bytes.
void require_utf8(std::string_view text);

/// The text as it may stand in a one-line message: control characters become spaces, what is not
/// UTF-8 becomes U+FFFD.
std::string message_line(std::string_view text);

}  // namespace niah::models
