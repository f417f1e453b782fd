// Text to token ids and back, without libtorch, so that `generate`, `tokenize` and the reports can
// be built without it. "The reference" in this folder is Hugging Face tokenizers (SentencePiece for
// .model files).
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

/// A tokenizer as defined in a checkpoint folder. Thread-safe: all members are const.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// The ids of the text alone, with nothing added at either end. Special tokens written in the
  /// text are recognised where the reference recognises them. Throws DataError for text that is not
  /// well-formed UTF-8 or that the vocabulary cannot represent.
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;

  /// encode(text).size(), possibly without building the ids.
  virtual std::int64_t count(std::string_view text) const;

  /// Whether encode(left + right) is certainly encode(left) followed by encode(right); false if
  /// unknown. Where it is true, the seam between the two is exact, and a long prompt can be
  /// assembled from pieces that were encoded separately. Looks no further from the seam than the
  /// length of the longest special token (at most 100 bytes in known tokenizers), so `left` and
  /// `right` may be shortened to that.
  virtual bool is_seam_exact(std::string_view left, std::string_view right) const = 0;

  /// The text of the ids, including special tokens; bytes that are not UTF-8 become U+FFFD as in
  /// the reference. Throws DataError for an id outside the vocabulary.
  virtual std::string decode(const std::vector<TokenId>& ids) const = 0;

  /// Whether the vocabulary has this id.
  virtual bool knows(TokenId id) const = 0;

  /// Number of ids, added tokens included.
  virtual std::int64_t vocab_size() const = 0;

  /// The ids that the tokenizer's post-processing adds before a prompt (BOS for Llama, none for
  /// Qwen).
  virtual const std::vector<TokenId>& prefix_ids() const = 0;
  /// The ids that it adds after a prompt (normally none).
  virtual const std::vector<TokenId>& suffix_ids() const = 0;

  /// The end-of-text id that stops generation, if the tokenizer names one.
  virtual std::optional<TokenId> eos_id() const = 0;

  /// One line for people: kind, vocabulary size, BOS policy.
  virtual std::string description() const = 0;
  /// SHA-256, in hex, of the content of the tokenizer's files.
  virtual std::string sha256() const = 0;
  /// SHA-256, in hex, of the tables that determine the ids: tokens, merges, added tokens, prefix
  /// and suffix. Independent of how the files spell them (key order, merges as pairs or as
  /// strings).
  virtual std::string tables_sha256() const { return sha256(); }
  /// The largest id of the vocabulary without added tokens, that is, of the ids that ordinary text
  /// can produce.
  virtual TokenId largest_text_id() const { return static_cast<TokenId>(vocab_size() - 1); }

  /// The text of a model's output: like decode, but unknown ids become U+FFFD. A model whose
  /// vocabulary is padded has such ids, and a broken model may generate them.
  std::string decode_output(const std::vector<TokenId>& ids) const;

  /// What the model reads: prefix_ids, encode(text), suffix_ids.
  std::vector<TokenId> encode_prompt(std::string_view text) const;
  /// encode_prompt(text).size(), possibly without building the ids.
  std::int64_t count_prompt(std::string_view text) const;

  /// Whether any text can be split before a space that is between a visible ASCII character and an
  /// ASCII letter such that the token counts of the parts add up to that of the whole.
  bool counts_add_at_spaces() const;
};

/// Whether two tokenizers produce the same ids. Compares their tables, and the ids of a text with
/// many kinds of characters, which shows how texts are normalised and split.
bool make_same_ids(const Tokenizer& a, const Tokenizer& b);

/// Opens the tokenizer at `path`: a checkpoint folder (with tokenizer.json, vocab.json +
/// merges.txt, or tokenizer.model, and tokenizer_config.json if it exists), or one of those files.
/// Throws DataError naming the file and what is missing or not supported.
std::shared_ptr<const Tokenizer> open_tokenizer(const std::filesystem::path& path);

}  // namespace niah::models
