#include "models/tokenizer/added_token.h"

namespace niah::models {

AddedToken read_added_token(const JsonView& json) {
  AddedToken token;
  token.content = json.at("content").string();
  token.special = json.boolean_or("special", false);
  token.single_word = json.boolean_or("single_word", false);
  token.lstrip = json.boolean_or("lstrip", false);
  token.rstrip = json.boolean_or("rstrip", false);
  token.normalized = json.boolean_or("normalized", !token.special);
  return token;
}

}  // namespace niah::models
