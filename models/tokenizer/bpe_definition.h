// Reading the vocabulary and merges of a BPE model, and assigning ids to added tokens.
#pragma once

#include "models/tokenizer/added_token.h"
#include "models/tokenizer/bpe_model.h"
#include "models/tokenizer/json_view.h"
#include "models/tokenizer/tokenizer_config.h"

namespace niah::models {

/// Reads the "model" object of a tokenizer.json. Throws DataError naming the JSON path of anything
/// invalid or not supported.
BpeDefinition read_bpe_model(const JsonView& model);

/// Reads a vocabulary, an object that maps tokens to ids. Throws DataError for an invalid id.
std::unordered_map<std::string, TokenId> read_vocab(const JsonView& json);

/// Parses the text of merges.txt: one pair of tokens per line, highest priority first, after an
/// optional "#version" line. Throws DataError naming a line that is not a pair.
std::vector<std::pair<std::string, std::string>> read_merges(std::string_view text,
                                                             const std::filesystem::path& file);

/// The added tokens of the tokenizer file (`tokens`) followed by those that only the config lists.
/// Throws DataError if the id of one differs from what the reference assigns: its id in the
/// vocabulary, else the next free one after the vocabulary and the tokens added before it.
std::vector<AddedToken> join_added_tokens(const BpeDefinition& definition,
                                          std::vector<AddedToken> tokens,
                                          const TokenizerConfig& config,
                                          const std::filesystem::path& file);

/// The tokens in config.special_tokens that are missing in `tokens`, with the ids that transformers
/// assigns them: their id in the vocabulary, else the next free one.
std::vector<AddedToken> number_special_tokens(const BpeDefinition& definition,
                                              const std::vector<AddedToken>& tokens,
                                              const TokenizerConfig& config);

/// The id of the token called `name`; nullopt if `name` is empty or there is no such token.
std::optional<TokenId> find_named_id(const std::optional<std::string>& name,
                                     const BpeDefinition& definition,
                                     const std::vector<AddedToken>& added);

}  // namespace niah::models
