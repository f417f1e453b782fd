// A prompt as a list of parts. Most of it is ranges of a haystack text, whose token counts are
// known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/haystack/haystack_text.h"

namespace niah::tasks {

/// Literal texts and ranges of one haystack text, in order.
class PromptParts {
 public:
  /// `haystack_text` must outlive this object.
  explicit PromptParts(const HaystackText& haystack_text) : haystack_text_(&haystack_text) {}

  PromptParts& add(std::string_view literal);
  /// Units begin .. end-1 of the haystack text, joined; nothing when the range is empty.
  PromptParts& add_units(std::int64_t begin, std::int64_t end);

  std::string render() const;

  /// Tokens of render(), special tokens included. Counts only the text around the seams when the
  /// counter's counts add, else all of it; the result is the same.
  std::int64_t count_tokens() const;

 private:
  /// A literal when the range is empty, else a range.
  struct Part {
    std::string literal;
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };

  std::int64_t count_joints() const;

  const HaystackText* haystack_text_;
  std::vector<Part> parts_;
};

}  // namespace niah::tasks
