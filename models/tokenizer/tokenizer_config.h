// Reading tokenizer_config.json, a checkpoint's settings for its tokenizer.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/added_token.h"

namespace niah::models {

/// The fields that affect ids. Default-constructed, it represents a missing file.
struct TokenizerConfig {
  std::string tokenizer_class;
  std::optional<bool> add_bos_token;
  std::optional<bool> add_eos_token;
  bool add_prefix_space = false;  ///< used with vocab.json + merges.txt only
  std::optional<std::string> bos_token;
  std::optional<std::string> eos_token;
  std::vector<AddedToken> added_tokens;  ///< of added_tokens_decoder, by ascending id
  /// Tokens that are special because a field names them (bos_token, ..., then
  /// additional_special_tokens) or because they are the tokenizer_class's default for an omitted
  /// field. Without ids and duplicates, in the order in which transformers adds those that the
  /// tokenizer lacks.
  std::vector<AddedToken> special_tokens;
  /// Whether special tokens that occur in a text are encoded like any other text.
  bool split_special_tokens = false;
  std::string source;  ///< the file's bytes, for content hashes

  /// Whether BOS is put before, and EOS after, a prompt: as the file says, else as is the default
  /// of the tokenizer_class in transformers (Llama and Gemma: BOS but no EOS).
  bool puts_bos() const { return bos_rule().value_or(false); }
  bool puts_eos() const { return add_eos_token.value_or(false); }
  /// Like puts_bos(), but nullopt if neither the file nor the class decides it.
  std::optional<bool> bos_rule() const;
};

/// Reads `folder`/tokenizer_config.json; default-constructed if the file does not exist. Throws
/// DataError naming the file and the JSON path of what is wrong.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

/// Parses the text of a tokenizer_config.json; `file` names it in errors.
TokenizerConfig parse_tokenizer_config(std::string_view text, const std::filesystem::path& file);

}  // namespace niah::models
