#include "models/tokenizer/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <limits>

#include "harness/base/files.h"
#include "harness/base/numbers.h"

namespace niah::models {
namespace {

/// A token given as "<s>" or as {"content": "<s>", ...}.
std::optional<std::string> token_text(const JsonView& config, std::string_view key) {
  const auto token = config.find(key);
  if (!token) return std::nullopt;
  return token->is_object() ? token->at("content").string() : token->string();
}

std::optional<bool> flag(const JsonView& config, std::string_view key) {
  const auto value = config.find(key);
  if (!value) return std::nullopt;
  return value->boolean();
}

std::vector<AddedToken> added_tokens(const JsonView& config) {
  std::vector<AddedToken> out;
  const auto decoder = config.find("added_tokens_decoder");
  if (!decoder) return out;
  for (const auto& [key, value] : decoder->object().items()) {
    AddedToken token = read_added_token(decoder->at(key));
    const auto id = parse_integer(key, {0, std::numeric_limits<TokenId>::max()});
    if (!id) decoder->fail("has the key \"" + key + "\", expected an id from 0 to 2147483647");
    token.id = static_cast<TokenId>(*id);
    out.push_back(std::move(token));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return out;
}

}  // namespace

bool TokenizerConfig::puts_bos() const {
  static constexpr std::array kClasses = {"LlamaTokenizer", "LlamaTokenizerFast",
                                          "CodeLlamaTokenizer", "GemmaTokenizer",
                                          "GemmaTokenizerFast"};
  if (add_bos_token) return *add_bos_token;
  return std::find(kClasses.begin(), kClasses.end(), tokenizer_class) != kClasses.end();
}

TokenizerConfig parse_tokenizer_config(std::string_view text, const std::filesystem::path& file) {
  const nlohmann::json document = parse_json(text, file);
  const JsonView json(document, file);
  TokenizerConfig config;
  config.tokenizer_class = json.string_or("tokenizer_class", "");
  config.add_bos_token = flag(json, "add_bos_token");
  config.add_eos_token = flag(json, "add_eos_token");
  config.add_prefix_space = json.boolean_or("add_prefix_space", false);
  config.bos_token = token_text(json, "bos_token");
  config.eos_token = token_text(json, "eos_token");
  config.added_tokens = added_tokens(json);
  config.source = text;
  return config;
}

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "tokenizer_config.json";
  if (!std::filesystem::exists(file)) return {};
  return parse_tokenizer_config(read_file(file, "reading the tokenizer's config"), file);
}

}  // namespace niah::models
