// The four classes of characters that byte-level BPE pre-tokenizers distinguish.
#pragma once

#include "models/tokenizer/unicode_tables.h"

namespace niah::models {

enum class CharClass : unsigned char {
  kLetter,  ///< \p{L}
  kNumber,  ///< \p{N}
  kSpace,   ///< \s: the property White_Space
  kOther,
};

/// The class of a code point in the Unicode version of the reference (Hugging Face tokenizers).
CharClass char_class(char32_t code_point);

/// \w in Rust's regular expressions: letters, marks, decimal and letter numbers, connector
/// punctuation, joiners.
bool is_word_char(char32_t code_point);

}  // namespace niah::models
