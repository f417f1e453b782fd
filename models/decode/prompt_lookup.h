// Prompt lookup: guessing the next tokens from earlier occurrences of the last ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace niah::models {

/// Guesses that a text continues as it did after the previous occurrence of its last few tokens
/// (prompt lookup decoding: speculative decoding, arXiv 2211.17192, with the text itself as the
/// draft). Models that fail tend to repeat themselves or to copy the haystack, so that many tokens
/// can be checked in one pass. Wrong guesses cost time, so after one the next is shorter and comes
/// later.
class PromptLookup {
 public:
  explicit PromptLookup(std::span<const std::int64_t> text) : text_(text.begin(), text.end()) {}

  void append(std::int64_t token) { text_.push_back(token); }

  /// At most `room` tokens that may come next; often none.
  std::vector<std::int64_t> guess(std::int64_t room);
  /// Adapts to the last guess, of which the first `right` of `guessed` tokens were right.
  void learn(std::size_t guessed, std::size_t right);

 private:
  std::vector<std::int64_t> text_;
  std::int64_t length_ = 4;    ///< tokens to guess
  std::int64_t pause_ = 0;     ///< further calls that return no guess
  std::int64_t patience_ = 1;  ///< length of the last pause
};

}  // namespace niah::models
