#include "models/tokenizer/bpe_tokenizer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "harness/base/utf8.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/utf8.h"
#include "models/tokenizer/word_cache.h"

namespace niah::models {
namespace {

class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(BpeParts parts)
      : parts_(std::move(parts)), token_bytes_(parts_.model.token_bytes()) {
    for (const auto& bytes : token_bytes_) vocab_size_ += bytes.has_value() ? 1 : 0;
    largest_text_id_ = static_cast<TokenId>(token_bytes_.size()) - 1;
    for (const AddedToken& token : parts_.added_tokens) enter(token);
    tables_sha256_ = hash_tables();
    build_matchers();
    require_known(parts_.prefix_ids);
    require_known(parts_.suffix_ids);
  }

  std::vector<TokenId> encode(std::string_view text) const override {
    constexpr std::size_t kBytesPerToken = 3;
    std::vector<TokenId> ids;
    ids.reserve(text.size() / kBytesPerToken + 1);
    for_each_word(text, [&](std::span<const TokenId> word) {
      ids.insert(ids.end(), word.begin(), word.end());
    });
    return ids;
  }

  std::int64_t count(std::string_view text) const override {
    std::int64_t total = 0;
    for_each_word(text, [&](std::span<const TokenId> word) {
      total += static_cast<std::int64_t>(word.size());
    });
    return total;
  }

  bool is_seam_exact(std::string_view left, std::string_view right) const override {
    if (left.empty() || right.empty()) return true;
    require_utf8(left);
    require_utf8(right);
    const char32_t before = decode_before(left, left.size()).value;
    const char32_t after = decode_at(right, 0).value;
    if (parts_.normalization != Normalization::kNone && !starts_normalization(after)) return false;
    return parts_.pre_tokenizer.parts(before, after) && !raw_.may_match_across(left, right) &&
           !normalized_.may_match_across(left, right);
  }

  std::string decode(const std::vector<TokenId>& ids) const override {
    require_known(ids);
    std::string bytes;
    for (const TokenId id : ids) bytes += *token_bytes_[static_cast<std::size_t>(id)];
    return replace_invalid_utf8(bytes);
  }

  bool knows(TokenId id) const override {
    const auto at = static_cast<std::size_t>(id);
    return id >= 0 && at < token_bytes_.size() && token_bytes_[at];
  }

  std::int64_t vocab_size() const override { return vocab_size_; }
  const std::vector<TokenId>& prefix_ids() const override { return parts_.prefix_ids; }
  const std::vector<TokenId>& suffix_ids() const override { return parts_.suffix_ids; }
  std::optional<TokenId> eos_id() const override { return parts_.eos_id; }
  std::string sha256() const override { return parts_.sha256; }
  std::string tables_sha256() const override { return tables_sha256_; }
  TokenId largest_text_id() const override { return largest_text_id_; }

  std::string description() const override {
    return fmt::format("byte-level BPE, {} tokens, {} in front of a prompt", vocab_size_,
                       prefix_ids().empty() ? "nothing" : decode(prefix_ids()));
  }

 private:
  std::string hash_tables() const {
    Sha256 hash;
    for (std::size_t id = 0; id < token_bytes_.size(); ++id) {
      if (!token_bytes_[id]) continue;
      hash.update(fmt::format("{} {}\n", id, token_bytes_[id]->size())).update(*token_bytes_[id]);
    }
    std::vector<const AddedToken*> added;
    for (const AddedToken& token : parts_.added_tokens) added.push_back(&token);
    std::sort(added.begin(), added.end(), [](auto a, auto b) { return a->id < b->id; });
    for (const AddedToken* token : added) {
      hash.update(fmt::format("added {} {} {} {} {} {}\n", token->id, token->single_word,
                              token->lstrip, token->rstrip, token->normalized, token->special));
    }
    for (const auto* ids : {&parts_.prefix_ids, &parts_.suffix_ids}) {
      hash.update(fmt::format("around [{}]\n", fmt::join(*ids, ",")));
    }
    hash.update(
        fmt::format("normalization {}, prefix space {}, split special tokens {}, model {}\n",
                    static_cast<int>(parts_.normalization), parts_.pre_tokenizer.add_prefix_space(),
                    parts_.split_special_tokens, parts_.model.rules_sha256()));
    return hash.hex();
  }

  void require_known(const std::vector<TokenId>& ids) const {
    for (const TokenId id : ids) {
      if (knows(id)) continue;
      throw DataError(fmt::format("with {}: id {} is not one of the vocabulary's {}",
                                  parts_.file.string(), id, vocab_size_));
    }
  }

  void enter(const AddedToken& token) {
    const auto id = static_cast<std::size_t>(token.id);
    const std::string bytes = bytes_of_symbols(token.content).value_or(token.content);
    token_bytes_.resize(std::max(token_bytes_.size(), id + 1));
    if (token_bytes_[id] && token_bytes_[id] != bytes) {
      throw DataError(fmt::format(
          "reading {}: the added token \"{}\" has id {}, which stands for another token",
          parts_.file.string(), message_line(token.content), token.id));
    }
    vocab_size_ += token_bytes_[id] ? 0 : 1;
    token_bytes_[id] = bytes;
  }

  void build_matchers() {
    std::vector<AddedToken> raw, normalized;
    // Special tokens first: of two that are equal after normalisation, the first one is found.
    std::stable_sort(parts_.added_tokens.begin(), parts_.added_tokens.end(),
                     [](const auto& a, const auto& b) { return a.special > b.special; });
    for (AddedToken token : parts_.added_tokens) {
      if (!token.normalized) {
        raw.push_back(std::move(token));
        continue;
      }
      std::string buffer;
      token.content = std::string(normalize(parts_.normalization, token.content, buffer));
      normalized.push_back(std::move(token));
    }
    raw_ = AddedTokenMatcher(std::move(raw), parts_.split_special_tokens);
    normalized_ = AddedTokenMatcher(std::move(normalized), parts_.split_special_tokens);
  }

  /// Calls `visit` with the ids of every word and added token, in order.
  template <typename Visit>
  void for_each_word(std::string_view text, Visit visit) const {
    require_utf8(text);
    if (text.empty()) return;
    std::string buffer;
    for (const auto& part : raw_.split(text)) {
      if (part.token != nullptr) {
        visit(std::span(&part.token->id, 1));
        continue;
      }
      for (const auto& inner :
           normalized_.split(normalize(parts_.normalization, part.text, buffer))) {
        if (inner.token != nullptr) {
          visit(std::span(&inner.token->id, 1));
        } else {
          split_words(inner.text, visit);
        }
      }
    }
  }

  template <typename Visit>
  void split_words(std::string_view text, Visit& visit) const {
    std::string prefixed;
    if (parts_.pre_tokenizer.add_prefix_space() && !text.starts_with(' ')) {
      prefixed.append(" ").append(text);
      text = prefixed;
    }
    std::size_t begin = 0;
    for (const std::size_t end : parts_.pre_tokenizer.word_ends(text)) {
      visit_word(text.substr(begin, end - begin), visit);
      begin = end;
    }
  }

  template <typename Visit>
  void visit_word(std::string_view word, Visit& visit) const {
    const auto key = WordCache::key(word);
    if (const auto known = cache_.find(key)) return visit(*known);
    std::vector<TokenId> ids;
    parts_.model.encode(word, ids);
    cache_.insert(key, ids);
    visit(std::span<const TokenId>(ids));
  }

  BpeParts parts_;
  std::vector<std::optional<std::string>> token_bytes_;  ///< by id, added tokens included
  std::int64_t vocab_size_ = 0;
  TokenId largest_text_id_ = 0;
  std::string tables_sha256_;
  AddedTokenMatcher raw_, normalized_;  ///< for texts before and after normalisation
  mutable WordCache cache_;
};

}  // namespace

std::shared_ptr<const Tokenizer> make_bpe_tokenizer(BpeParts parts) {
  return std::make_shared<BpeTokenizer>(std::move(parts));
}

}  // namespace niah::models
