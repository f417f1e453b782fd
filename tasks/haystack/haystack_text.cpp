#include "tasks/haystack/haystack_text.h"

#include <algorithm>
#include <utility>

#include "harness/base/error.h"

namespace niah::tasks {
namespace {

constexpr double kTypicalTokensPerByte = 0.25;

bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_ascii_graphic(char c) { return c > ' ' && c < 0x7F; }

}  // namespace

HaystackText::HaystackText(std::string separator, TokenCounter counter)
    : separator_(std::move(separator)), counter_(std::move(counter)) {}

void HaystackText::append(std::string_view unit) {
  if (!ends_.empty()) text_ += separator_;
  const std::size_t start = text_.size();
  text_ += unit;
  ends_.push_back(text_.size());
  const std::size_t offset = counter_.counts_add() ? find_cut(start) : start;
  if (offset == std::string::npos) return;
  SplitPoint cut{size() - 1, offset, 0};
  if (!cuts_.empty()) {
    const SplitPoint& last = cuts_.back();
    const auto piece = std::string_view(text_).substr(last.offset, offset - last.offset);
    cut.tokens = last.tokens + counter_.count_bare(piece);
  }
  cuts_.push_back(cut);
}

/// A place where counts add: before a space that follows a visible ASCII character and precedes an
/// ASCII letter. Byte-level BPE with a GPT-style pre-tokenizer always starts a word there.
std::size_t HaystackText::find_cut(std::size_t unit_begin) const {
  std::size_t at = text_.find(' ', unit_begin + 1);
  while (at != std::string::npos && at + 1 < text_.size()) {
    if (is_ascii_graphic(text_[at - 1]) && is_ascii_letter(text_[at + 1])) return at;
    at = text_.find(' ', at + 1);
  }
  return std::string::npos;
}

std::size_t HaystackText::begin_of(std::int64_t unit) const {
  return unit == 0 ? 0 : end_of(unit - 1) + separator_.size();
}

std::string_view HaystackText::text(std::int64_t begin, std::int64_t end) const {
  if (begin >= end) return {};
  const std::size_t first = begin_of(begin);
  return std::string_view(text_).substr(first, end_of(end - 1) - first);
}

std::string_view HaystackText::text_before(std::int64_t begin, const SplitPoint& cut) const {
  const std::size_t first = begin_of(begin);
  return std::string_view(text_).substr(first, cut.offset - first);
}

std::string_view HaystackText::text_after(const SplitPoint& cut, std::int64_t end) const {
  return std::string_view(text_).substr(cut.offset, end_of(end - 1) - cut.offset);
}

const HaystackText::SplitPoint* HaystackText::first_cut(std::int64_t begin,
                                                        std::int64_t end) const {
  const auto found =
      std::lower_bound(cuts_.begin(), cuts_.end(), begin,
                       [](const SplitPoint& cut, std::int64_t unit) { return cut.unit < unit; });
  return found == cuts_.end() || found->unit >= end ? nullptr : &*found;
}

const HaystackText::SplitPoint* HaystackText::last_cut(std::int64_t begin, std::int64_t end) const {
  const auto after =
      std::lower_bound(cuts_.begin(), cuts_.end(), end,
                       [](const SplitPoint& cut, std::int64_t unit) { return cut.unit < unit; });
  if (after == cuts_.begin()) return nullptr;
  const auto& last = *std::prev(after);
  return last.unit < begin ? nullptr : &last;
}

std::int64_t HaystackText::estimate_tokens(std::int64_t units) const {
  if (units == 0) return 0;
  const SplitPoint* cut = last_cut(0, units);
  const std::size_t counted = cut ? cut->offset : 0;
  const double per_byte = cut && cut->tokens > 0
                              ? static_cast<double>(cut->tokens) / static_cast<double>(counted)
                              : kTypicalTokensPerByte;
  const auto rest = static_cast<double>(end_of(units - 1) - counted);
  return (cut ? cut->tokens : 0) + static_cast<std::int64_t>(per_byte * rest);
}

std::int64_t HaystackText::estimate_units(std::int64_t tokens) const {
  std::int64_t low = 0;
  std::int64_t high = size();
  while (low < high) {
    const std::int64_t middle = (low + high + 1) / 2;
    if (estimate_tokens(middle) <= tokens) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

}  // namespace niah::tasks
