#include "harness/training/tokenizer_training.h"

#include <fmt/format.h>
#include <sentencepiece_trainer.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/output.h"
#include "harness/base/pending_folder.h"
#include "harness/base/text.h"
#include "harness/training/documents.h"

namespace niah::zoo {
namespace {

// Learning pieces does not need documents of an exact size: four characters a token is near enough.
std::int64_t rough_count(std::string_view text) {
  return static_cast<std::int64_t>(text.size() / 4 + 1);
}
constexpr std::int64_t kDocumentTokens = 400;

constexpr const char* kConfig = R"({
  "tokenizer_class": "LlamaTokenizer",
  "add_bos_token": true,
  "add_eos_token": false,
  "bos_token": "<s>",
  "eos_token": "</s>",
  "unk_token": "<unk>"
}
)";

/// The lines of the documents; newlines are a piece of their own and need no learning.
std::vector<std::string> document_lines(const TokenizerRecipe& recipe) {
  const tasks::DocumentMaker maker(training_sentences(recipe.data), rough_count);
  std::vector<std::string> lines;
  for (std::int64_t i = 0; i < recipe.documents; ++i) {
    tasks::CounterRng rng(fmt::format("zoo-tokenizer-1/{}/{}", recipe.seed, i));
    std::string text;
    for (const tasks::Segment& segment :
         maker.make(choose_document(recipe.data, rng), kDocumentTokens, rng))
      text += segment.text;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      if (end > begin) lines.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return lines;
}

/// Feeds lines to SentencePiece.
class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  bool done() const override { return at_ == lines_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return lines_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> lines_;
  std::size_t at_ = 0;
};

}  // namespace

void train_tokenizer(const TokenizerRecipe& recipe, const std::filesystem::path& out) {
  PendingFolder result(out);
  Lines lines(document_lines(recipe));
  const std::unordered_map<std::string, std::string> options = {
      {"model_type", "unigram"},
      {"vocab_size", std::to_string(recipe.vocab_size)},
      {"split_digits", "true"},
      {"byte_fallback", "true"},
      {"normalization_rule_name", "identity"},
      {"add_dummy_prefix", "false"},
      {"remove_extra_whitespaces", "false"},
      {"user_defined_symbols", "\n"},
      {"num_threads", "1"},  // sums of several threads would depend on their order
      {"minloglevel", "2"},
  };
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, &lines, &model);
  if (!status.ok())
    throw DataError(fmt::format("training the tokenizer {}: {}", recipe.name, status.ToString()));
  write_file(result.path() / "tokenizer.model", model);
  write_file(result.path() / "tokenizer_config.json", kConfig);
  result.commit();
  say("{}: {} pieces in {}\n", single_line(recipe.name), recipe.vocab_size,
      single_line(out.string()));
}

}  // namespace niah::zoo
