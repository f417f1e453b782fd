// Finding added tokens (special ones and others) in texts.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/tokenizer/added_token.h"

namespace niah::models {

/// A set of added tokens to look for: the leftmost first, the longest of those.
class AddedTokenMatcher {
 public:
  /// A part of a text: an added token, or what lies between two of them.
  struct Part {
    std::string_view text;
    const AddedToken* token = nullptr;
  };

  AddedTokenMatcher() = default;
  /// With `splits_special`, special tokens stay text, as with the reference's
  /// encode_special_tokens: what they cover is not searched for others.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens, bool splits_special = false);
  AddedTokenMatcher(AddedTokenMatcher&&) = default;
  AddedTokenMatcher& operator=(AddedTokenMatcher&&) = default;

  /// Cuts the text into added tokens and the rest; parts without text are left out. Follows the
  /// reference where single_word, lstrip and rstrip are set.
  std::vector<Part> split(std::string_view text) const;

  /// Whether a token could be found, or a found one could change, because `left` and `right` (not
  /// empty) stand side by side. May say yes where it is not so.
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
  std::bitset<65536> inner_pairs_;  ///< neighbouring bytes inside tokens, left one first
  bool splits_special_ = false;
  bool looks_around_ = false;  ///< some token has single_word, lstrip or rstrip
};

}  // namespace niah::models
