// Ids of many long prompts that have most of their text in common.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// Encodes prompts one after the other. The first is encoded piece by piece and kept; later ones
/// take over the ids of every stretch of text that they share with it, wherever it stands, and only
/// what is new (needle, question, the joints) goes through the tokenizer. The result is always
/// encode_prompt(prompt): a stretch is cut only at seams that Tokenizer::is_seam_exact vouches for.
/// Not for use from several threads at once.
class PromptEncoder {
 public:
  /// `tokenizer` outlives this object.
  explicit PromptEncoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  std::vector<TokenId> encode_prompt(std::string_view text);

  /// Bytes that went through the tokenizer so far.
  std::size_t encoded_bytes() const { return encoded_bytes_; }

 private:
  /// A place where the kept text may be cut, and how many ids stand before it.
  struct Seam {
    std::size_t offset = 0;
    std::size_t ids = 0;
  };
  /// Equal text: `size` bytes at `text_at` of the new prompt and at `kept_at` of the kept one.
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
