// tokenizer_config.json: what a checkpoint says about its tokenizer beside the tokenizer itself.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/added_token.h"

namespace niah::models {

/// The fields that change ids. A default-constructed one stands for a missing file.
struct TokenizerConfig {
  std::string tokenizer_class;
  std::optional<bool> add_bos_token;
  std::optional<bool> add_eos_token;
  bool add_prefix_space = false;  ///< read for vocab.json + merges.txt only
  std::optional<std::string> bos_token;
  std::optional<std::string> eos_token;
  std::vector<AddedToken> added_tokens;  ///< of added_tokens_decoder, by ascending id
  /// Tokens that are special because a field names them (bos_token, ..., then
  /// additional_special_tokens), or the tokenizer_class does where the field is left out. Without
  /// ids, each once, in the order in which transformers adds those that the tokenizer lacks.
  std::vector<AddedToken> special_tokens;
  /// Special tokens that stand in a text are encoded like any other text.
  bool split_special_tokens = false;
  std::string source;  ///< the file's bytes, for content hashes

  /// Whether a BOS (EOS) token is put around a prompt: as said in the file, else as the
  /// tokenizer_class does by default in transformers (Llama and Gemma: BOS yes, EOS no).
  bool puts_bos() const { return bos_rule().value_or(false); }
  bool puts_eos() const { return add_eos_token.value_or(false); }
  /// The same for BOS, nullopt where neither the file nor the class says anything.
  std::optional<bool> bos_rule() const;
};

/// Reads `folder`/tokenizer_config.json; a default one when the file does not exist. Throws
/// DataError naming the file and the JSON path of what is wrong.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

/// Parses the text of a tokenizer_config.json; `file` is for messages.
TokenizerConfig parse_tokenizer_config(std::string_view text, const std::filesystem::path& file);

}  // namespace niah::models
