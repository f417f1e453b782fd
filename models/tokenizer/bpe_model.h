// Byte-level BPE of single words.
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

/// A byte-level BPE model as a file defines it; tokens are written in the byte alphabet.
struct BpeDefinition {
  std::unordered_map<std::string, TokenId> vocab;
  std::vector<std::pair<std::string, std::string>> merges;  ///< highest priority first
  bool ignore_merges = false;  ///< a word that is a token becomes that token without merging
  std::optional<std::string> unk_token;  ///< replaces bytes that are not in the vocabulary
  bool fuse_unk = false;                 ///< a run of unknown bytes becomes a single unk_token
};

/// A BPE model. Immutable: encode() may be called from several threads at once.
class BpeModel {
 public:
  /// Throws DataError naming `file` if an id is out of range or used twice, or if the unk_token or
  /// a token of a merge is not in the vocabulary.
  BpeModel(const BpeDefinition& definition, const std::filesystem::path& file);

  BpeModel(BpeModel&&) = default;
  BpeModel(const BpeModel&) = delete;  // whole_words_ views token_bytes_

  /// Appends the ids of one word (the bytes of one pre-token). Throws DataError if a byte has no
  /// token and there is no unk_token; the reference would silently drop such a byte.
  void encode(std::string_view word, std::vector<TokenId>& ids) const;

  /// SHA-256, in hex, of everything but the tokens that affects the ids: the merges in their order,
  /// and how unknown bytes and whole words are treated.
  const std::string& rules_sha256() const { return rules_sha256_; }

  /// The bytes of every token, indexed by id; nullopt for unused ids.
  const std::vector<std::optional<std::string>>& token_bytes() const { return token_bytes_; }

  /// The largest id that a vocabulary may use, so that a hostile file cannot cause a huge table.
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
