#include "models/tokenizer/sentencepiece_tokenizer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sentencepiece_processor.h>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/sha256.h"
#include "harness/base/strict_json.h"
#include "models/tokenizer/sentencepiece_model.h"
#include "models/tokenizer/tokenizer_config.h"
#include "models/tokenizer/utf8.h"
#include "models/tokenizer/word_cache.h"

namespace niah::models {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581: SentencePiece's space

bool ends_with_space(std::string_view text) {
  return text.ends_with(' ') || text.ends_with(kSpaceSymbol);
}

/// End of the word that starts at `begin`: the next space that does not follow a space.
std::size_t word_end(std::string_view text, std::size_t begin) {
  for (std::size_t at = text.find(' ', begin + 1); at != std::string_view::npos;
       at = text.find(' ', at + 1)) {
    if (!ends_with_space(text.substr(begin, at - begin))) return at;
  }
  return text.size();
}

std::unique_ptr<sentencepiece::SentencePieceProcessor> load(const std::string& bytes,
                                                            const std::filesystem::path& file) {
  auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
  const auto status = processor->LoadFromSerializedProto(bytes);
  if (!status.ok()) {
    throw DataError(fmt::format("reading {}: SentencePiece refuses the model: {}", file.string(),
                                status.ToString()));
  }
  return processor;
}

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(const std::filesystem::path& file, WordCaching caching)
      : file_(file), config_(read_tokenizer_config(file.parent_path())) {
    const std::string bytes = read_file(file, "reading the SentencePiece model");
    refuse_lfs_pointer(bytes, file, "reading the SentencePiece model");
    const SentencePieceModel model = parse_sentencepiece_model(bytes, file);
    text_processor_ = load(bytes, file);
    word_mode_ = caching == WordCaching::kWhereExact && model.splits_at_spaces();
    dummy_prefix_ = model.add_dummy_prefix;
    if (word_mode_) word_processor_ = load(without_dummy_prefix(bytes), file);
    sha256_ = Sha256().update(bytes).update(config_.source).hex();
    refuse_added_tokens();
    set_ends();
    tables_sha256_ = Sha256()
                         .update(bytes)
                         .update(fmt::format("around [{}] [{}]", fmt::join(prefix_, ","),
                                             fmt::join(suffix_, ",")))
                         .hex();
  }

  std::vector<TokenId> encode(std::string_view text) const override {
    require_utf8(text);
    if (!word_mode_) return encode_with(*text_processor_, text);
    std::vector<TokenId> ids;
    ids.reserve(text.size() / 3);
    for_each_word(text, [&](std::span<const TokenId> word) {
      ids.insert(ids.end(), word.begin(), word.end());
    });
    return ids;
  }

  std::int64_t count(std::string_view text) const override {
    if (!word_mode_) return Tokenizer::count(text);
    require_utf8(text);
    std::int64_t total = 0;
    for_each_word(text, [&](std::span<const TokenId> word) {
      total += static_cast<std::int64_t>(word.size());
    });
    return total;
  }

  bool is_seam_exact(std::string_view left, std::string_view right) const override {
    if (left.empty() || right.empty()) return true;
    return word_mode_ && !dummy_prefix_ && right.starts_with(' ') && !ends_with_space(left);
  }

  std::string decode(const std::vector<TokenId>& ids) const override {
    for (const TokenId id : ids) {
      if (knows(id)) continue;
      throw DataError(fmt::format("decoding with {}: id {} is outside the vocabulary of {}",
                                  file_.string(), id, text_processor_->GetPieceSize()));
    }
    std::string text;
    const auto status = text_processor_->Decode(ids, &text);
    if (!status.ok()) {
      throw DataError(fmt::format("decoding with {}: {}", file_.string(), status.ToString()));
    }
    return text;
  }

  bool knows(TokenId id) const override { return id >= 0 && id < text_processor_->GetPieceSize(); }

  std::int64_t vocab_size() const override { return text_processor_->GetPieceSize(); }
  const std::vector<TokenId>& prefix_ids() const override { return prefix_; }
  const std::vector<TokenId>& suffix_ids() const override { return suffix_; }
  std::optional<TokenId> eos_id() const override { return eos_; }
  std::string sha256() const override { return sha256_; }
  std::string tables_sha256() const override { return tables_sha256_; }

  std::string description() const override {
    return fmt::format("SentencePiece, {} pieces, {} BOS", vocab_size(),
                       prefix_.empty() ? "no" : "puts");
  }

 private:
  std::vector<TokenId> encode_with(const sentencepiece::SentencePieceProcessor& processor,
                                   std::string_view text) const {
    std::vector<TokenId> ids;
    const auto status = processor.Encode(text, &ids);
    if (status.ok()) return ids;
    throw DataError(fmt::format("encoding a text of {} bytes with {}: {}", text.size(),
                                file_.string(), status.ToString()));
  }

  template <typename Visit>
  void for_each_word(std::string_view text, Visit visit) const {
    if (text.empty()) return;
    std::size_t begin = 0;
    if (dummy_prefix_) {
      begin = word_end(text, 0);
      visit(std::span<const TokenId>(encode_with(*text_processor_, text.substr(0, begin))));
    }
    while (begin < text.size()) {
      const std::size_t end = word_end(text, begin);
      visit_word(text.substr(begin, end - begin), visit);
      begin = end;
    }
  }

  template <typename Visit>
  void visit_word(std::string_view word, Visit& visit) const {
    const auto key = WordCache::key(word);
    if (const auto known = cache_.find(key)) return visit(*known);
    const std::vector<TokenId> ids = encode_with(*word_processor_, word);
    cache_.insert(key, ids);
    visit(std::span<const TokenId>(ids));
  }

  void refuse_added_tokens() const {
    const auto refuse = [&](const AddedToken& token, const std::string& id) {
      throw DataError(fmt::format(
          "reading {}: tokenizer_config.json adds the token \"{}\"{} to the model's {} pieces, "
          "which SentencePiece cannot encode; put the checkpoint's tokenizer.json beside it",
          file_.string(), message_line(token.content), id, text_processor_->GetPieceSize()));
    };
    for (const AddedToken& token : config_.added_tokens) {
      if (token.id >= text_processor_->GetPieceSize())
        refuse(token, fmt::format(" (id {})", token.id));
    }
    for (const AddedToken& token : config_.special_tokens) {
      const bool is_piece =
          !text_processor_->IsUnknown(text_processor_->PieceToId(token.content)) ||
          token.content == text_processor_->IdToPiece(text_processor_->unk_id());
      if (!is_piece) refuse(token, "");
    }
  }

  /// The id of the token that the config names, else the model's `own` id; nullopt if neither
  /// exists.
  std::optional<TokenId> named_id(const std::optional<std::string>& name, TokenId own) const {
    if (!name) return own < 0 ? std::nullopt : std::optional(own);
    const TokenId id = text_processor_->PieceToId(*name);
    if (!text_processor_->IsUnknown(id)) return id;
    throw DataError(
        fmt::format("reading {}: tokenizer_config.json names the token \"{}\", which is "
                    "not one of the model's {} pieces",
                    file_.string(), *name, text_processor_->GetPieceSize()));
  }

  void set_ends() {
    eos_ = named_id(config_.eos_token, text_processor_->eos_id());
    const auto bos = named_id(config_.bos_token, text_processor_->bos_id());
    if (config_.puts_bos()) prefix_.push_back(require_id(bos, "BOS"));
    if (config_.puts_eos()) suffix_.push_back(require_id(eos_, "EOS"));
  }

  TokenId require_id(std::optional<TokenId> id, std::string_view name) const {
    if (id) return *id;
    throw DataError(
        fmt::format("reading {}: tokenizer_config.json asks for a {} token, but the model has none",
                    file_.string(), name));
  }

  std::filesystem::path file_;
  TokenizerConfig config_;
  std::unique_ptr<sentencepiece::SentencePieceProcessor> text_processor_;
  std::unique_ptr<sentencepiece::SentencePieceProcessor> word_processor_;  ///< no dummy prefix
  bool word_mode_ = false;
  bool dummy_prefix_ = false;
  std::vector<TokenId> prefix_, suffix_;
  std::optional<TokenId> eos_;
  std::string sha256_, tables_sha256_;
  mutable WordCache cache_;
};

}  // namespace

std::shared_ptr<const Tokenizer> open_sentencepiece(const std::filesystem::path& model_file,
                                                    WordCaching caching) {
  return std::make_shared<SentencePieceTokenizer>(model_file, caching);
}

}  // namespace niah::models
