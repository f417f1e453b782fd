// The alphabet of GPT-2's byte-level BPE: every byte as one printable character.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace niah::models {

/// The character that stands for a byte, in UTF-8: bytes that print in Latin-1 stand for
/// themselves, the other 68 are U+0100 and up in ascending order (bytes_to_unicode of GPT-2).
std::string byte_symbol(unsigned char byte);

/// The bytes that a token's characters stand for; nullopt when one of them stands for none.
std::optional<std::string> bytes_of_symbols(std::string_view token);

}  // namespace niah::models
