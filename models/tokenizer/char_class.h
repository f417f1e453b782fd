// The four kinds of characters that byte-level BPE pre-tokenizers tell apart.
#pragma once

#include "models/tokenizer/unicode_tables.h"

namespace niah::models {

enum class CharClass : unsigned char {
  kLetter,  ///< \p{L}
  kNumber,  ///< \p{N}
  kSpace,   ///< \s: the property White_Space
  kOther,
};

/// The class of a code point, by the Unicode version of the reference tokenizer.
CharClass char_class(char32_t code_point);

/// \w of Rust's regular expressions: letters, marks, decimal and letter numbers, connectors,
/// joiners.
bool is_word_char(char32_t code_point);

}  // namespace niah::models
