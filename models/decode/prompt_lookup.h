// Guessing the next tokens from what the text already says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace niah::models {

/// Guesses how a text goes on: as it did the last time that its last few tokens stood in it. Models
/// that fail repeat themselves or copy the haystack, so that many tokens can be checked in one pass
/// (prompt lookup decoding: speculative decoding, arXiv 2211.17192, with the text itself as the
/// draft). Wrong guesses cost time, so after one the next comes later and is shorter.
class PromptLookup {
 public:
  explicit PromptLookup(std::span<const std::int64_t> text) : text_(text.begin(), text.end()) {}

  void append(std::int64_t token) { text_.push_back(token); }

  /// At most `room` tokens that may come next; often none.
  std::vector<std::int64_t> guess(std::int64_t room);
  /// How many tokens of the last guess were right, from its start.
  void learn(std::size_t guessed, std::size_t right);

 private:
  std::vector<std::int64_t> text_;
  std::int64_t length_ = 4;  ///< tokens to guess
  std::int64_t pause_ = 0;   ///< calls to answer with no guess
  std::int64_t patience_ = 1;
};

}  // namespace niah::models
