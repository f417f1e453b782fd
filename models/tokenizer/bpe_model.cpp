#include "models/tokenizer/bpe_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/utf8.h"

namespace niah::models {
namespace {

/// Up to this many symbols, scanning for the best pair is faster than a heap.
constexpr std::size_t kShortWord = 48;

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& problem) {
  throw DataError(fmt::format("reading {}: {}", file.string(), message_line(problem)));
}

}  // namespace

BpeModel::BpeModel(const BpeDefinition& definition, const std::filesystem::path& file)
    : file_(file), fuse_unk_(definition.fuse_unk), merges_(definition.merges.size()) {
  add_tokens(definition);
  add_merges(definition);
}

void BpeModel::add_tokens(const BpeDefinition& definition) {
  const auto id_of = [&](const std::string& token) {
    const auto found = definition.vocab.find(token);
    return found == definition.vocab.end() ? -1 : found->second;
  };
  for (const auto& [token, id] : definition.vocab) {
    if (id < 0 || id > kMaxId) {
      fail(file_, fmt::format("token \"{}\" has id {}, expected at most {}", token, id, kMaxId));
    }
    if (static_cast<std::size_t>(id) >= token_bytes_.size()) token_bytes_.resize(id + 1);
    if (token_bytes_[id]) {
      fail(file_, fmt::format("id {} stands for two tokens, one of them \"{}\"", id, token));
    }
    token_bytes_[id] = bytes_of_symbols(token).value_or(token);
  }
  if (definition.ignore_merges) add_whole_words(definition);
  for (unsigned byte = 0; byte < 256; ++byte)
    byte_ids_[byte] = id_of(byte_symbol(static_cast<std::uint8_t>(byte)));
  if (!definition.unk_token) return;
  unk_id_ = id_of(*definition.unk_token);
  if (*unk_id_ < 0) {
    fail(file_, fmt::format("unk_token \"{}\" is not in the vocabulary", *definition.unk_token));
  }
}

void BpeModel::add_whole_words(const BpeDefinition& definition) {
  for (const auto& [token, id] : definition.vocab) {
    if (bytes_of_symbols(token)) whole_words_.emplace(*token_bytes_[id], id);
  }
}

void BpeModel::add_merges(const BpeDefinition& definition) {
  Sha256 rules;
  rules.update(fmt::format("unknown {} fused {}, whole words {}\n", unk_id_.value_or(-1), fuse_unk_,
                           definition.ignore_merges));
  std::int32_t rank = 0;
  for (const auto& [left, right] : definition.merges) {
    const auto id_of = [&](const std::string& token) {
      const auto found = definition.vocab.find(token);
      if (found != definition.vocab.end()) return found->second;
      fail(file_,
           fmt::format("merge {} (\"{}\" and \"{}\") needs the token \"{}\", which is not in "
                       "the vocabulary",
                       rank, left, right, token));
    };
    const TokenId left_id = id_of(left), right_id = id_of(right);
    merges_.set(left_id, right_id, {rank, id_of(left + right)});
    rules.update(fmt::format("{} {}\n", left_id, right_id));
    ++rank;
  }
  rules_sha256_ = rules.hex();
}

std::vector<TokenId> BpeModel::symbols(std::string_view word) const {
  std::vector<TokenId> out;
  out.reserve(word.size());
  bool after_unknown = false;
  for (const char byte : word) {
    const TokenId id = byte_ids_[static_cast<unsigned char>(byte)];
    const bool unknown = id < 0;
    if (unknown && !unk_id_) {
      throw DataError(
          fmt::format("encoding with {}: byte 0x{:02x} has no token and the model has no "
                      "unk_token to stand for it",
                      file_.string(), static_cast<unsigned char>(byte)));
    }
    if (!unknown) out.push_back(id);
    if (unknown && !(after_unknown && fuse_unk_)) out.push_back(*unk_id_);
    after_unknown = unknown;
  }
  return out;
}

void BpeModel::encode(std::string_view word, std::vector<TokenId>& ids) const {
  if (!whole_words_.empty()) {
    const auto whole = whole_words_.find(word);
    if (whole != whole_words_.end()) return ids.push_back(whole->second);
  }
  std::vector<TokenId> parts = symbols(word);
  if (parts.size() <= kShortWord) {
    merge_short(parts);
  } else {
    merge_long(parts);
  }
  ids.insert(ids.end(), parts.begin(), parts.end());
}

void BpeModel::merge_short(std::vector<TokenId>& symbols) const {
  std::array<PairTable::Merge, kShortWord> merges;  // merges[i] joins symbols i and i + 1
  std::size_t size = symbols.size();
  if (size < 2) return;
  for (std::size_t i = 0; i + 1 < size; ++i) merges[i] = merges_.find(symbols[i], symbols[i + 1]);
  while (size > 1) {
    const auto last = merges.begin() + static_cast<std::ptrdiff_t>(size - 1);
    const auto best = std::min_element(
        merges.begin(), last, [](const auto& a, const auto& b) { return a.rank < b.rank; });
    if (!best->exists()) break;
    const auto at = static_cast<std::size_t>(best - merges.begin());
    symbols[at] = best->id;
    std::copy(symbols.begin() + at + 2, symbols.begin() + size, symbols.begin() + at + 1);
    std::copy(best + 1, last, best);
    --size;
    if (at > 0) merges[at - 1] = merges_.find(symbols[at - 1], symbols[at]);
    if (at + 1 < size) merges[at] = merges_.find(symbols[at], symbols[at + 1]);
  }
  symbols.resize(size);
}

void BpeModel::merge_long(std::vector<TokenId>& symbols) const {
  // Symbols form a linked list by index. The right symbol of a merge is marked dead; candidates
  // whose symbols have changed since are skipped.
  constexpr TokenId kDead = -1;
  struct Candidate {
    PairTable::Merge merge;
    std::size_t left, right;
    TokenId left_id, right_id;
    bool operator>(const Candidate& other) const {
      return std::pair(merge.rank, left) > std::pair(other.merge.rank, other.left);
    }
  };
  const std::size_t size = symbols.size();
  std::vector<std::size_t> next(size), previous(size);
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](std::size_t left, std::size_t right) {
    const auto merge = merges_.find(symbols[left], symbols[right]);
    if (merge.exists()) queue.push({merge, left, right, symbols[left], symbols[right]});
  };
  for (std::size_t i = 0; i < size; ++i) {
    previous[i] = i - 1;
    next[i] = i + 1;
    if (i + 1 < size) offer(i, i + 1);
  }
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    if (symbols[best.left] != best.left_id || symbols[best.right] != best.right_id ||
        next[best.left] != best.right) {
      continue;
    }
    symbols[best.left] = best.merge.id;
    symbols[best.right] = kDead;
    next[best.left] = next[best.right];
    if (next[best.left] < size) {
      previous[next[best.left]] = best.left;
      offer(best.left, next[best.left]);
    }
    if (best.left > 0) offer(previous[best.left], best.left);
  }
  std::erase(symbols, kDead);
}

}  // namespace niah::models
