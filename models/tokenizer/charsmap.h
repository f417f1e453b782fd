// SentencePiece's table of character replacements, which its library walks without looking.
#pragma once

#include <string_view>

namespace niah::models {

/// Whether a precompiled_charsmap keeps every walk inside itself: a 32-bit size, a double-array
/// trie of that many bytes (Darts-clone), then the replacements, each ended by a zero byte. A table
/// that is not sound makes the library read outside its memory.
bool is_sound_charsmap(std::string_view bytes);

}  // namespace niah::models
