// A token that is looked for in the text itself, before any splitting.
#pragma once

#include <string>

#include "models/tokenizer/json_view.h"
#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// The flags mean what they mean in Hugging Face tokenizers' AddedToken.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false;  ///< matches only between characters that are not word characters
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< takes the white space after it along
  bool normalized = false;   ///< is looked for after normalisation instead of before
  bool special = false;
};

/// Reads the fields other than the id. `normalized` defaults to "not special", as in the reference.
AddedToken read_added_token(const JsonView& json);

}  // namespace niah::models
