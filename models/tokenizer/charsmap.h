// SentencePiece's table of character replacements, which its library uses without bounds checks.
#pragma once

#include <string_view>

namespace niah::models {

/// Whether no lookup in a precompiled_charsmap can leave it. The format is a 32-bit size, a
/// double-array trie of that many bytes (Darts-clone), then the zero-terminated replacements. With
/// a table that is not sound, the library would read outside its memory.
bool is_sound_charsmap(std::string_view bytes);

}  // namespace niah::models
