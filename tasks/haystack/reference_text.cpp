#include "tasks/haystack/reference_text.h"

#include <algorithm>
#include <utility>

#include "harness/base/error.h"
#include "tasks/haystack/punkt.h"
#include "tasks/unicode.h"

namespace niah::tasks {

ReferenceText::ReferenceText(std::string text, const TokenCounter& counter)
    : text_(std::move(text)), haystack_text_(" ", counter) {
  for (std::size_t end = text_.find(' '); end != std::string::npos;
       end = text_.find(' ', end + 1)) {
    word_ends_.push_back(end);
  }
  word_ends_.push_back(text_.size());
  sentences_ = split_sentences(strip(text_));
  for (const auto sentence : sentences_) haystack_text_.append(sentence);
}

std::shared_ptr<const LeadingSentences> ReferenceText::lead(std::int64_t words) const {
  check(words >= 0, "a number of words is negative");
  words = std::min(words, this->words());
  const std::lock_guard lock(mutex_);
  auto& lead = leads_[words];
  if (lead) return lead;
  const std::size_t end = words == 0 ? 0 : word_ends_[static_cast<std::size_t>(words - 1)];
  const auto sentences = split_sentences(strip(std::string_view(text_).substr(0, end)));
  // Compares the sentences' content, nearly all of which is equal up to the end.
  const auto differs =
      std::mismatch(sentences.begin(), sentences.end(), sentences_.begin(), sentences_.end()).first;
  LeadingSentences made;
  made.shared = differs - sentences.begin();
  made.rest.assign(differs, sentences.end());
  return lead = std::make_shared<const LeadingSentences>(std::move(made));
}

void add_sentences(PromptParts& parts, const LeadingSentences& lead, std::int64_t begin,
                   std::int64_t end) {
  const std::int64_t shared_end = std::min(end, lead.shared);
  parts.add_units(begin, shared_end);
  for (std::int64_t i = std::max(begin, lead.shared); i < end; ++i) {
    if (i > begin) parts.add(" ");
    parts.add(lead.rest[static_cast<std::size_t>(i - lead.shared)]);
  }
}

}  // namespace niah::tasks
