#include "models/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include "harness/base/error.h"
#include "models/tokenizer/sentencepiece_tokenizer.h"

namespace niah::models {
namespace fs = std::filesystem;

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

std::shared_ptr<const Tokenizer> open_tokenizer(const fs::path& path) {
  if (!fs::exists(path)) {
    throw DataError(fmt::format("opening the tokenizer {}: no such file or folder", path.string()));
  }
  const fs::path file = fs::is_directory(path) ? path / "tokenizer.model" : path;
  return open_sentencepiece(file);
}

}  // namespace niah::models
