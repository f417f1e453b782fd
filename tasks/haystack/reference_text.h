// A corpus as the reference programs use it: cut after a number of words, then split into
// sentences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/haystack/haystack_text.h"
#include "tasks/needle/prompt_parts.h"

namespace niah::tasks {

/// The sentences of a text's first words. All but the last few are units of the haystack text; the
/// last ones differ because of the cut.
struct LeadingSentences {
  std::int64_t shared = 0;             ///< leading units of the haystack text
  std::vector<std::string_view> rest;  ///< sentences after them

  std::int64_t size() const { return shared + static_cast<std::int64_t>(rest.size()); }
};

/// A text with single spaces between its words. Looks immutable to its users, which may be several
/// threads.
class ReferenceText {
 public:
  ReferenceText(std::string text, const TokenCounter& counter);
  ReferenceText(const ReferenceText&) = delete;
  ReferenceText& operator=(const ReferenceText&) = delete;

  std::int64_t words() const { return static_cast<std::int64_t>(word_ends_.size()); }
  const HaystackText& haystack_text() const { return haystack_text_; }

  /// The sentences of the first `words` words; of all when the text has fewer.
  std::shared_ptr<const LeadingSentences> lead(std::int64_t words) const;

 private:
  std::string text_;
  std::vector<std::size_t> word_ends_;
  std::vector<std::string_view> sentences_;  ///< of the whole text; the haystack text's units
  HaystackText haystack_text_;
  mutable std::mutex mutex_;
  /// A cache of lead(): the samples of a cell ask for the same few sizes.
  mutable std::map<std::int64_t, std::shared_ptr<const LeadingSentences>> leads_;
};

/// Appends sentences begin .. end-1, joined by one space.
void add_sentences(PromptParts& parts, const LeadingSentences& lead, std::int64_t begin,
                   std::int64_t end);

}  // namespace niah::tasks
