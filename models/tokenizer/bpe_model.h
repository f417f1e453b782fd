// Byte pair encoding of single words over bytes.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/tokenizer/pair_table.h"
#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// What a file says about a byte-level BPE model; tokens are written in the byte alphabet.
struct BpeDefinition {
  std::unordered_map<std::string, TokenId> vocab;
  std::vector<std::pair<std::string, std::string>> merges;  ///< best first
  bool ignore_merges = false;  ///< a word that is a token is that token, whatever the merges say
  std::optional<std::string> unk_token;  ///< stands for bytes that are not in the vocabulary
  bool fuse_unk = false;                 ///< one unk_token for neighbouring unknown bytes
};

/// A BPE model. Immutable: encode() may be called from several threads.
class BpeModel {
 public:
  /// Throws DataError naming `file` when an id is out of range or used twice, or when a merge or
  /// the unk_token is not in the vocabulary.
  BpeModel(const BpeDefinition& definition, const std::filesystem::path& file);

  BpeModel(BpeModel&&) = default;
  BpeModel(const BpeModel&) = delete;  // whole_words_ views token_bytes_

  /// Appends the ids of one word (the bytes of one pre-token). Throws DataError when a byte has no
  /// token and there is no unk_token: the reference would drop it without a word.
  void encode(std::string_view word, std::vector<TokenId>& ids) const;

  /// SHA-256 over what decides besides the tokens: merges in their order, unknown bytes, whole
  /// words.
  const std::string& rules_sha256() const { return rules_sha256_; }

  /// The bytes that every id stands for, by id; nullopt for ids that are not in use.
  const std::vector<std::optional<std::string>>& token_bytes() const { return token_bytes_; }

  /// Largest id that a vocabulary may use; keeps a hostile file from asking for a huge table.
  static constexpr TokenId kMaxId = (1 << 22) - 1;

 private:
  void add_tokens(const BpeDefinition& definition);
  void add_whole_words(const BpeDefinition& definition);
  void add_merges(const BpeDefinition& definition);
  std::vector<TokenId> symbols(std::string_view word) const;
  void merge_short(std::vector<TokenId>& symbols) const;
  void merge_long(std::vector<TokenId>& symbols) const;

  std::filesystem::path file_;
  std::string rules_sha256_;
  std::vector<std::optional<std::string>> token_bytes_;
  std::array<TokenId, 256> byte_ids_;  ///< -1: the byte has no token
  std::optional<TokenId> unk_id_;
  bool fuse_unk_ = false;
  PairTable merges_;
  std::unordered_map<std::string_view, TokenId> whole_words_;  ///< filled for ignore_merges only
};

}  // namespace niah::models
