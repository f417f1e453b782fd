// Text to token ids and back. No torch here: `generate`, `tokenize` and the reports run without it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace niah::models {

using TokenId = std::int32_t;

/// A tokenizer as a checkpoint folder defines it. Immutable after loading: every member may be
/// called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Ids of the text alone: nothing is added at either end. Special tokens written in the text are
  /// recognised where the reference recognises them. Appends to nothing, throws DataError on input
  /// that the reference refuses (with the byte position).
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;

  /// encode(text).size(), without making the ids.
  virtual std::int64_t count(std::string_view text) const;

  /// Whether encode(left + right) is certainly encode(left) followed by encode(right), judged by
  /// the text around the seam: true means exact, false means that it is not known. So a long prompt
  /// can be put together from pieces that were encoded once. Looks no further than the longest
  /// special token (at most 100 bytes in the tokenizers we know) to both sides, so `left` and
  /// `right` may be cut down to that much of the whole text.
  virtual bool is_seam_exact(std::string_view left, std::string_view right) const = 0;

  /// Text of the ids, special tokens kept, bytes that are not UTF-8 replaced by U+FFFD as the
  /// reference does. Throws DataError for an id outside the vocabulary.
  virtual std::string decode(const std::vector<TokenId>& ids) const = 0;

  /// Whether an id stands for something.
  virtual bool knows(TokenId id) const = 0;

  /// Number of ids, added tokens included.
  virtual std::int64_t vocab_size() const = 0;

  /// What the tokenizer's own post-processing puts in front of a prompt (a BOS token for Llama
  /// style ones, nothing for Qwen).
  virtual const std::vector<TokenId>& prefix_ids() const = 0;
  /// ... and after it (normally nothing).
  virtual const std::vector<TokenId>& suffix_ids() const = 0;

  /// End-of-text id that stops generation, where the tokenizer names one.
  virtual std::optional<TokenId> eos_id() const = 0;

  /// One line for people: kind, vocabulary size, BOS policy.
  virtual std::string description() const = 0;
  /// SHA-256 over the content of the files it was read from.
  virtual std::string sha256() const = 0;
  /// SHA-256 over the tables that make the ids: tokens, merges, added tokens, what is put around a
  /// prompt. The same however its files spell them (key order, merges as pairs or as strings).
  virtual std::string tables_sha256() const { return sha256(); }
  /// The largest id of the vocabulary itself, which any text may become; added tokens, for which it
  /// takes their own text, are left out.
  virtual TokenId largest_text_id() const { return static_cast<TokenId>(vocab_size() - 1); }

  /// Text of what a model said: like decode, but ids that the tokenizer does not have become
  /// U+FFFD. Models have such ids where their vocabulary is padded, and a broken one says them.
  std::string decode_output(const std::vector<TokenId>& ids) const;

  /// prefix_ids, encode(text), suffix_ids: what the model reads.
  std::vector<TokenId> encode_prompt(std::string_view text) const;
  /// encode_prompt(text).size(), without making the ids.
  std::int64_t count_prompt(std::string_view text) const;

  /// Whether any text may be cut before a space that stands between a visible ASCII character and
  /// an ASCII letter, so that the counts of the parts add up to the count of the whole.
  bool counts_add_at_spaces() const;
};

/// Whether two tokenizers make the same ids: their tables, and the ids of a text of many kinds of
/// characters, which shows how texts are normalised and cut.
bool make_same_ids(const Tokenizer& a, const Tokenizer& b);

/// Opens the tokenizer at `path`: a checkpoint folder (tokenizer.json, or vocab.json + merges.txt,
/// or tokenizer.model, with tokenizer_config.json beside it), or one of those files itself. Throws
/// DataError naming the file and what is missing or not supported.
std::shared_ptr<const Tokenizer> open_tokenizer(const std::filesystem::path& path);

}  // namespace niah::models
