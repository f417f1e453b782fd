// The alphabet of GPT-2's byte-level BPE, in which every byte is one printable character.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace niah::models {

/// The character that represents a byte, in UTF-8: bytes that are printable in Latin-1 represent
/// themselves, the other 68 become U+0100, U+0101, ... in order (bytes_to_unicode of GPT-2).
std::string byte_symbol(unsigned char byte);

/// The bytes that the characters of a token represent; nullopt if one is not in the alphabet.
std::optional<std::string> bytes_of_symbols(std::string_view token);

}  // namespace niah::models
