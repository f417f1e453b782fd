// A token count, with what may be assumed of it.
#pragma once

#include <cstdint>
#include <string_view>

#include "tasks/sample.h"

namespace niah::tasks {

/// A TokenCount and the tokens that it adds to every text by itself.
class TokenCounter {
 public:
  /// `counts_add`: see ProtocolSpec. Throws UsageError when there is no count.
  TokenCounter(TokenCount count, bool counts_add);

  /// Tokens of the whole text, special tokens included.
  std::int64_t count(std::string_view text) const { return count_(text); }
  /// Tokens of the text alone.
  std::int64_t count_bare(std::string_view text) const { return count_(text) - special_tokens_; }
  std::int64_t special_tokens() const { return special_tokens_; }
  bool counts_add() const { return counts_add_; }

 private:
  TokenCount count_;
  bool counts_add_;
  std::int64_t special_tokens_;
};

}  // namespace niah::tasks
