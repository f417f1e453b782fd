#include "models/tokenizer/prompt_encoder.h"

#include <algorithm>
#include <cstring>

#include "harness/base/utf8.h"

namespace niah::models {
namespace {

/// Bytes passed to is_seam_exact on each side of a seam; it needs at most 100.
constexpr std::size_t kSeamContext = 160;
/// Minimum number of bytes between two seams of the kept text.
constexpr std::size_t kSeamDistance = 512;
/// Shorter common stretches of text are not searched for.
constexpr std::size_t kWindow = 64;
/// Number of bytes after a difference in which the next common stretch is searched for.
constexpr std::size_t kReach = 4096;

/// Length of the common prefix in bytes.
std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t size = std::min(a.size(), b.size());
  std::size_t at = 0;
  constexpr std::size_t kStep = 4096;
  while (at + kStep <= size && std::memcmp(a.data() + at, b.data() + at, kStep) == 0) at += kStep;
  while (at < size && a[at] == b[at]) ++at;
  return at;
}

/// Whether the tokenizer guarantees that the text can be split at `at` (0 < at < size).
bool is_seam(const Tokenizer& tokenizer, std::string_view text, std::size_t at) {
  if (!begins_code_point(text[at])) return false;
  std::size_t begin = at > kSeamContext ? at - kSeamContext : 0;
  std::size_t end = std::min(text.size(), at + kSeamContext);
  while (begin < at && !begins_code_point(text[begin])) ++begin;
  while (end < text.size() && !begins_code_point(text[end])) ++end;
  return tokenizer.is_seam_exact(text.substr(begin, at - begin), text.substr(at, end - at));
}

/// The next white space from `at` on, where a word probably begins; the text's size if none.
std::size_t next_word(std::string_view text, std::size_t at) {
  const std::size_t space = text.find_first_of(" \n", at);
  return space == std::string_view::npos ? text.size() : space;
}

}  // namespace

void PromptEncoder::append(std::vector<TokenId>& ids, std::string_view text) {
  if (text.empty()) return;
  encoded_bytes_ += text.size();
  const auto own = tokenizer_->encode(text);
  ids.insert(ids.end(), own.begin(), own.end());
}

void PromptEncoder::keep(std::string_view text) {
  kept_ = text;
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = next_word(text, begin + kSeamDistance);
    while (end < text.size() && !is_seam(*tokenizer_, text, end)) end = next_word(text, end + 1);
    append(kept_ids_, text.substr(begin, end - begin));
    if (end < text.size()) seams_.push_back({end, kept_ids_.size()});
    begin = end;
  }
}

/// The next common stretch after a difference at text_at and kept_at: some text was inserted into
/// one of the texts, or the two differ for a while.
PromptEncoder::Stretch PromptEncoder::next_stretch(std::string_view text, std::size_t text_at,
                                                   std::size_t kept_at) const {
  const std::string_view kept = kept_;
  const std::string_view kept_near = kept.substr(kept_at, kReach);
  const std::string_view text_near = text.substr(text_at, kReach);
  const auto stretch = [&](std::size_t skip_text, std::size_t skip_kept) {
    const std::size_t a = text_at + skip_text, b = kept_at + skip_kept;
    return Stretch{a, b, common_prefix(text.substr(a), kept.substr(b))};
  };
  for (std::size_t skip = 0; skip + kWindow <= std::min(kept_near.size(), text_near.size());
       skip += kWindow) {
    const std::size_t in_text = text_near.find(kept_near.substr(skip, kWindow));
    if (in_text != std::string_view::npos) return stretch(in_text, skip);
    const std::size_t in_kept = kept_near.find(text_near.substr(skip, kWindow));
    if (in_kept != std::string_view::npos) return stretch(skip, in_kept);
  }
  return {text.size(), kept.size(), 0};
}

std::vector<TokenId> PromptEncoder::encode_prompt(std::string_view text) {
  if (kept_.empty()) keep(text);
  std::vector<TokenId> ids = tokenizer_->prefix_ids();
  ids.reserve(kept_ids_.size() + kept_ids_.size() / 8 + 64);
  std::size_t done = 0;  // bytes of `text` whose ids have been appended
  Stretch stretch{0, 0, common_prefix(text, kept_)};
  while (stretch.size > 0) {
    const auto by_offset = [](const Seam& seam, std::size_t offset) {
      return seam.offset < offset;
    };
    // Both ends of a reused stretch must be seams in the new text as well.
    const std::size_t kept_end = stretch.kept_at + stretch.size;
    const auto in_text = [&](const Seam& seam) {
      return stretch.text_at + (seam.offset - stretch.kept_at);
    };
    auto first = std::lower_bound(seams_.begin(), seams_.end(), stretch.kept_at + 1, by_offset);
    auto last = std::lower_bound(first, seams_.end(), kept_end, by_offset);
    const bool from_start = stretch.text_at == 0 && stretch.kept_at == 0;
    while (!from_start && first < last && !is_seam(*tokenizer_, text, in_text(*first))) ++first;
    while (first < last && !is_seam(*tokenizer_, text, in_text(*(last - 1)))) --last;
    const Seam begin = from_start || first >= last ? Seam{} : *first;
    if (first < last && (last - 1)->offset > begin.offset) {
      const Seam& end = *(last - 1);
      const std::size_t text_begin = from_start ? 0 : in_text(begin);
      append(ids, text.substr(done, text_begin - done));
      ids.insert(ids.end(), kept_ids_.begin() + static_cast<std::ptrdiff_t>(begin.ids),
                 kept_ids_.begin() + static_cast<std::ptrdiff_t>(end.ids));
      done = in_text(end);
    }
    stretch = next_stretch(text, stretch.text_at + stretch.size, kept_end);
  }
  append(ids, text.substr(done));
  const auto& suffix = tokenizer_->suffix_ids();
  ids.insert(ids.end(), suffix.begin(), suffix.end());
  return ids;
}

}  // namespace niah::models
