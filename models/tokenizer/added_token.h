// Added tokens, which are searched for in the text before it is split into words.
#pragma once

#include <string>

#include "models/tokenizer/json_view.h"
#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// An added token; the flags have the meaning of AddedToken in Hugging Face tokenizers.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false;  ///< matches only if not adjacent to a word character
  bool lstrip = false;       ///< includes the white space before it
  bool rstrip = false;       ///< includes the white space after it
  bool normalized = false;   ///< searched for after normalisation, not before
  bool special = false;
};

/// Reads all fields except the id. As in the reference, `normalized` defaults to `!special`.
AddedToken read_added_token(const JsonView& json);

}  // namespace niah::models
