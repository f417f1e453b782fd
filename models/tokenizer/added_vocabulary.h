// Finding added tokens, special or not, in texts.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/tokenizer/added_token.h"

namespace niah::models {

/// Searches texts for a set of added tokens; the leftmost match wins, then the longest.
class AddedTokenMatcher {
 public:
  /// A part of a text: an added token, or the text between two of them (`token` is null).
  struct Part {
    std::string_view text;
    const AddedToken* token = nullptr;
  };

  AddedTokenMatcher() = default;
  /// With `splits_special`, special tokens are left as text, as with encode_special_tokens in the
  /// reference; the text that they cover is not searched for other tokens.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens, bool splits_special = false);
  AddedTokenMatcher(AddedTokenMatcher&&) = default;
  AddedTokenMatcher& operator=(AddedTokenMatcher&&) = default;

  /// Splits the text into added tokens and the text between them; empty parts are left out.
  /// Interprets single_word, lstrip and rstrip as the reference does.
  std::vector<Part> split(std::string_view text) const;

  /// Whether concatenating `left` and `right` (not empty) could create a match or change one. Never
  /// a false negative, but possibly a false positive.
  bool may_match_across(std::string_view left, std::string_view right) const;

 private:
  struct Match {
    std::size_t begin, end;
    const AddedToken* token;
  };
  /// The longest token that starts at text[at], or null.
  const AddedToken* longest_at(std::string_view text, std::size_t at) const;
  std::size_t next_candidate(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;  ///< by descending length
  std::unordered_map<char, std::vector<std::uint32_t>> by_first_byte_;
  std::bitset<256> first_bytes_;
  std::bitset<65536> inner_pairs_;  ///< pairs of adjacent bytes inside tokens, see pair_index
  bool splits_special_ = false;
  bool looks_around_ = false;  ///< some token has single_word, lstrip or rstrip
};

}  // namespace niah::models
