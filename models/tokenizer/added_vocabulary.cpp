#include "models/tokenizer/added_vocabulary.h"

#include <algorithm>

#include "harness/base/code_points.h"
#include "harness/base/utf8.h"
#include "models/tokenizer/char_class.h"

namespace niah::models {
namespace {

bool is_single_word(std::string_view text, std::size_t begin, std::size_t end) {
  const bool free_left = begin == 0 || !is_word_char(decode_before(text, begin).value);
  const bool free_right = end == text.size() || !is_word_char(decode_at(text, end).value);
  return free_left && free_right;
}

std::size_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

std::size_t pair_index(char left, char right) {
  return static_cast<std::size_t>(static_cast<unsigned char>(left)) << 8 |
         static_cast<unsigned char>(right);
}

std::size_t skip_spaces_left(std::string_view text, std::size_t at, std::size_t floor) {
  while (at > floor) {
    const CodePoint point = decode_before(text, at);
    if (!is_white_space(point.value)) break;
    at -= point.size;
  }
  return std::max(at, floor);
}

std::size_t skip_spaces_right(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const CodePoint point = decode_at(text, at);
    if (!is_white_space(point.value)) break;
    at += point.size;
  }
  return at;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens, bool splits_special)
    : tokens_(std::move(tokens)), splits_special_(splits_special) {
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) {
    return a.content.size() > b.content.size();
  });
  for (std::uint32_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    by_first_byte_[token.content.front()].push_back(i);
    first_bytes_.set(byte_at(token.content, 0));
    for (std::size_t k = 1; k < token.content.size(); ++k) {
      inner_pairs_.set(pair_index(token.content[k - 1], token.content[k]));
    }
    looks_around_ |= token.single_word || token.lstrip || token.rstrip;
  }
}

std::size_t AddedTokenMatcher::next_candidate(std::string_view text, std::size_t at) const {
  while (at < text.size() && !first_bytes_[byte_at(text, at)]) ++at;
  return at;
}

const AddedToken* AddedTokenMatcher::longest_at(std::string_view text, std::size_t at) const {
  const auto found = by_first_byte_.find(text[at]);
  if (found == by_first_byte_.end()) return nullptr;
  for (const std::uint32_t index : found->second) {
    if (text.substr(at).starts_with(tokens_[index].content)) return &tokens_[index];
  }
  return nullptr;
}

std::vector<AddedTokenMatcher::Part> AddedTokenMatcher::split(std::string_view text) const {
  if (tokens_.empty()) return {{text, nullptr}};
  std::vector<Part> parts;
  std::size_t done = 0;
  for (std::size_t at = next_candidate(text, 0); at < text.size(); at = next_candidate(text, at)) {
    const AddedToken* token = longest_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->content.size();
    at = end;
    if (splits_special_ && token->special) continue;
    if (token->single_word && !is_single_word(text, begin, end)) continue;
    if (token->lstrip) begin = skip_spaces_left(text, begin, done);
    if (token->rstrip) end = skip_spaces_right(text, end);
    if (begin > done) parts.push_back({text.substr(done, begin - done), nullptr});
    parts.push_back({text.substr(begin, end - begin), token});
    done = end;
  }
  if (done < text.size()) parts.push_back({text.substr(done), nullptr});
  return parts;
}

bool AddedTokenMatcher::may_match_across(std::string_view left, std::string_view right) const {
  if (looks_around_) return true;
  if (!inner_pairs_[pair_index(left.back(), right.front())]) return false;
  for (const AddedToken& token : tokens_) {
    const std::string_view content = token.content;
    for (std::size_t cut = 1; cut < content.size(); ++cut) {
      const std::string_view head = content.substr(0, cut), tail = content.substr(cut);
      // A side shorter than its half of the token must match the part of it next to the cut.
      const std::size_t before = std::min(head.size(), left.size());
      const std::size_t after = std::min(tail.size(), right.size());
      if (left.substr(left.size() - before) == head.substr(head.size() - before) &&
          right.substr(0, after) == tail.substr(0, after)) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace niah::models
