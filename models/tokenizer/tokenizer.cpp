#include "models/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <utility>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/path_kind.h"
#include "models/tokenizer/sentencepiece_tokenizer.h"
#include "models/tokenizer/tokenizer_json.h"

namespace niah::models {
namespace fs = std::filesystem;
namespace {

std::shared_ptr<const Tokenizer> open_json(const fs::path& file) {
  return parse_tokenizer_json(read_file(file, "reading the tokenizer"),
                              read_tokenizer_config(file.parent_path()), file);
}

std::shared_ptr<const Tokenizer> open_folder(const fs::path& folder) {
  if (is_listed(folder / "tokenizer.json")) return open_json(folder / "tokenizer.json");
  if (is_listed(folder / "vocab.json")) {
    return read_vocab_and_merges(folder, read_tokenizer_config(folder));
  }
  if (is_listed(folder / "tokenizer.model")) return open_sentencepiece(folder / "tokenizer.model");
  throw DataError(fmt::format(
      "opening the tokenizer in {}: there is no tokenizer.json, vocab.json or tokenizer.model",
      folder.string()));
}

}  // namespace

std::int64_t Tokenizer::count(std::string_view text) const {
  return static_cast<std::int64_t>(encode(text).size());
}

std::vector<TokenId> Tokenizer::encode_prompt(std::string_view text) const {
  std::vector<TokenId> ids = prefix_ids();
  const std::vector<TokenId> body = encode(text);
  ids.insert(ids.end(), body.begin(), body.end());
  ids.insert(ids.end(), suffix_ids().begin(), suffix_ids().end());
  return ids;
}

std::int64_t Tokenizer::count_prompt(std::string_view text) const {
  return count(text) + static_cast<std::int64_t>(prefix_ids().size() + suffix_ids().size());
}

std::string Tokenizer::decode_output(const std::vector<TokenId>& ids) const {
  std::string text;
  std::vector<TokenId> known;
  for (const TokenId id : ids) {
    if (knows(id)) {
      known.push_back(id);
      continue;
    }
    text += decode(std::exchange(known, {}));
    text += "\uFFFD";
  }
  return text + decode(known);
}

bool Tokenizer::counts_add_at_spaces() const {
  for (char before = '!'; before <= '~'; ++before) {
    for (char letter = 'A'; letter <= 'z'; ++letter) {
      if (letter > 'Z' && letter < 'a') continue;
      const char after[] = {' ', letter};
      if (!is_seam_exact({&before, 1}, {after, 2})) return false;
    }
  }
  return true;
}

bool make_same_ids(const Tokenizer& a, const Tokenizer& b) {
  // Contractions in both cases, digits, punctuation, runs of white space, line ends, scripts with
  // and without spaces, composed and decomposed letters, letters with marks, emoji.
  constexpr std::string_view kText =
      "It's HE'LL we\u2019re 1234567 3.14 \u0663\u0664 x86_64 foo(bar)!?...\r\n\r\n  \n \t a   b\n"
      "\u00a0caf\u00e9 cafe\u0301 \u1e9b\u0323 na\u00efve \u0939\u093f\u0928\u094d\u0926\u0940 "
      "\u4f60\u597d\uff0c\u4e16\u754c \u0645\u0631\u062d\u0628\u0627 "
      "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 "
      "\U0001F468\u200d\U0001F469 camelCaseHTTPServer <b>--</b> don\u2019T\u3000end ";
  return a.tables_sha256() == b.tables_sha256() && a.encode_prompt(kText) == b.encode_prompt(kText);
}

std::shared_ptr<const Tokenizer> open_tokenizer(const fs::path& path) {
  if (is_folder(path)) return open_folder(path);
  if (!is_there(path)) {
    throw DataError(fmt::format("opening the tokenizer {}: no such file or folder", path.string()));
  }
  const fs::path folder = path.parent_path();
  if (path.filename() == "vocab.json" || path.filename() == "merges.txt") {
    return read_vocab_and_merges(folder, read_tokenizer_config(folder));
  }
  if (path.extension() == ".json") return open_json(path);
  if (path.extension() == ".model") return open_sentencepiece(path);
  throw DataError(
      fmt::format("opening the tokenizer {}: expected a folder, a tokenizer.json or a .model file",
                  path.string()));
}

}  // namespace niah::models
