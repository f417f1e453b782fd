// Encoding many long prompts that share most of their text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// Encodes prompts one after the other. The first prompt is encoded piece by piece and kept. Later
/// prompts reuse the ids of every stretch of text that they share with it, even at another
/// position, so that only new text (needle, question) and the text around it is tokenized. The
/// result always equals Tokenizer::encode_prompt, because texts are split only at seams where
/// Tokenizer::is_seam_exact is true. Not thread-safe.
class PromptEncoder {
 public:
  /// `tokenizer` must outlive this object.
  explicit PromptEncoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  /// The ids that Tokenizer::encode_prompt(text) returns.
  std::vector<TokenId> encode_prompt(std::string_view text);

  /// Number of bytes that have been tokenized so far.
  std::size_t encoded_bytes() const { return encoded_bytes_; }

 private:
  /// A position at which the kept text can be split, and the number of ids before it.
  struct Seam {
    std::size_t offset = 0;
    std::size_t ids = 0;
  };
  /// Common text: `size` bytes at `text_at` of the new prompt and at `kept_at` of the kept one.
  struct Stretch {
    std::size_t text_at = 0, kept_at = 0, size = 0;
  };

  void keep(std::string_view text);
  Stretch next_stretch(std::string_view text, std::size_t text_at, std::size_t kept_at) const;
  void append(std::vector<TokenId>& ids, std::string_view text);

  const Tokenizer* tokenizer_;
  std::string kept_;
  std::vector<TokenId> kept_ids_;
  std::vector<Seam> seams_;  ///< ascending; not at the ends of the text
  std::size_t encoded_bytes_ = 0;
};

}  // namespace niah::models
