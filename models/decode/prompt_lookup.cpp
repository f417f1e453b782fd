#include "models/decode/prompt_lookup.h"

#include <algorithm>

namespace niah::models {
namespace {

// Length of the match to look for: two tokens match by chance too often, and waiting for more than
// three comes too late.
constexpr std::ptrdiff_t kMatch = 3;
constexpr std::int64_t kShortest = 2, kLongest = 32, kLongestPause = 16;

}  // namespace

std::vector<std::int64_t> PromptLookup::guess(std::int64_t room) {
  if (pause_ > 0) {
    --pause_;
    return {};
  }
  const std::int64_t wanted = std::min(room, length_);
  if (wanted <= 0 || static_cast<std::ptrdiff_t>(text_.size()) <= kMatch) return {};
  const auto last = text_.rbegin();
  const auto found = std::search(last + 1, text_.rend(), last, last + kMatch);
  if (found == text_.rend()) return {};
  // At the end of the text the guess continues with its own start: repetition tends to go on.
  std::vector<std::int64_t> next;
  auto at = static_cast<std::size_t>(found.base() - text_.begin());
  for (; static_cast<std::int64_t>(next.size()) < wanted; ++at)
    next.push_back(at < text_.size() ? text_[at] : next[at - text_.size()]);
  return next;
}

void PromptLookup::learn(std::size_t guessed, std::size_t right) {
  if (guessed == 0) return;
  if (right == guessed) {
    length_ = std::min(kLongest, length_ * 2);
    patience_ = 1;
    return;
  }
  length_ = std::max(kShortest, static_cast<std::int64_t>(right));
  patience_ = right > 0 ? 1 : std::min(kLongestPause, patience_ * 2);
  pause_ = patience_;
}

}  // namespace niah::models
