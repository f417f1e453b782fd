// Reading the vocabulary and the merges of a BPE model, and numbering the tokens added to it.
#pragma once

#include "models/tokenizer/added_token.h"
#include "models/tokenizer/bpe_model.h"
#include "models/tokenizer/json_view.h"
#include "models/tokenizer/tokenizer_config.h"

namespace niah::models {

/// Reads the "model" of a tokenizer.json. Throws DataError naming the JSON path of what is wrong or
/// not supported.
BpeDefinition read_bpe_model(const JsonView& model);

/// Reads a vocabulary: an object from tokens to ids.
std::unordered_map<std::string, TokenId> read_vocab(const JsonView& json);

/// Reads merges.txt: a pair of tokens a line, best first, after an optional "#version" line. Throws
/// DataError naming the line that is not one.
std::vector<std::pair<std::string, std::string>> read_merges(std::string_view text,
                                                             const std::filesystem::path& file);

/// The tokens of the tokenizer file and those that only the config adds. Throws DataError when an
/// id is not the one that the reference gives the token: its id in the vocabulary, else the next
/// one after the vocabulary and the tokens added before it.
std::vector<AddedToken> join_added_tokens(const BpeDefinition& definition,
                                          std::vector<AddedToken> tokens,
                                          const TokenizerConfig& config,
                                          const std::filesystem::path& file);

/// The tokens that are special by the config alone: those of config.special_tokens that `tokens`
/// lack, with the ids that transformers gives them: their own in the vocabulary, else the next ones
/// after everything.
std::vector<AddedToken> number_special_tokens(const BpeDefinition& definition,
                                              const std::vector<AddedToken>& tokens,
                                              const TokenizerConfig& config);

/// The id of a token that the config names; nullopt for no name or an unknown one.
std::optional<TokenId> find_named_id(const std::optional<std::string>& name,
                                     const BpeDefinition& definition,
                                     const std::vector<AddedToken>& added);

}  // namespace niah::models
