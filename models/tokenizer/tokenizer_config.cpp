#include "models/tokenizer/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <limits>

#include "harness/base/files.h"
#include "harness/base/numbers.h"
#include "harness/base/path_kind.h"

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

/// The default of a tokenizer class in transformers for a field that the file omits; "" for none.
std::string_view class_default(std::string_view tokenizer_class, std::string_view key) {
  struct Default {
    std::string_view tokenizer_class, key, token;
  };
  static constexpr std::array kDefaults = {Default{"Qwen2Tokenizer", "eos_token", "<|endoftext|>"},
                                           Default{"Qwen2Tokenizer", "unk_token", "<|endoftext|>"},
                                           Default{"Qwen2Tokenizer", "pad_token", "<|endoftext|>"},
                                           Default{"GPT2Tokenizer", "bos_token", "<|endoftext|>"},
                                           Default{"GPT2Tokenizer", "eos_token", "<|endoftext|>"},
                                           Default{"GPT2Tokenizer", "unk_token", "<|endoftext|>"},
                                           Default{"LlamaTokenizer", "bos_token", "<s>"},
                                           Default{"LlamaTokenizer", "eos_token", "</s>"},
                                           Default{"LlamaTokenizer", "unk_token", "<unk>"}};
  constexpr std::string_view kFast = "Fast";
  if (tokenizer_class.ends_with(kFast)) tokenizer_class.remove_suffix(kFast.size());
  for (const Default& known : kDefaults) {
    if (known.tokenizer_class == tokenizer_class && known.key == key) return known.token;
  }
  return "";
}

/// A token given as a string or as an object, marked as special.
AddedToken special_token(const JsonView& json) {
  AddedToken token;
  if (json.is_object()) {
    token = read_added_token(json);
  } else {
    token.content = json.string();
  }
  if (token.content.empty()) json.fail("is an empty token");
  token.special = true;
  return token;
}

void add_once(std::vector<AddedToken>& tokens, AddedToken token) {
  for (const AddedToken& known : tokens) {
    if (known.content == token.content) return;
  }
  tokens.push_back(std::move(token));
}

std::vector<AddedToken> special_tokens(const JsonView& config, std::string_view tokenizer_class) {
  std::vector<AddedToken> tokens;
  for (const char* key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                          "cls_token", "mask_token"}) {
    if (const auto token = config.find(key)) {
      // An empty string means no token.
      if (token->is_object() || !token->string().empty()) add_once(tokens, special_token(*token));
      continue;
    }
    const std::string_view usual = class_default(tokenizer_class, key);
    if (usual.empty() || config.object().contains(key)) continue;
    AddedToken token;
    token.content = usual;
    token.special = true;
    add_once(tokens, std::move(token));
  }
  // A list or, from transformers 4, an object that maps names to tokens.
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    const auto more = config.find(key);
    if (!more) continue;
    if (more->is_object()) {
      for (const auto& [name, token] : more->object().items()) {
        add_once(tokens, special_token(more->at(name)));
      }
    } else {
      for (const JsonView& token : more->elements()) add_once(tokens, special_token(token));
    }
  }
  return tokens;
}

}  // namespace

std::optional<bool> TokenizerConfig::bos_rule() const {
  static constexpr std::array kClasses = {"LlamaTokenizer", "LlamaTokenizerFast",
                                          "CodeLlamaTokenizer", "GemmaTokenizer",
                                          "GemmaTokenizerFast"};
  if (add_bos_token) return add_bos_token;
  if (std::find(kClasses.begin(), kClasses.end(), tokenizer_class) == kClasses.end()) {
    return std::nullopt;
  }
  return true;
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
  config.special_tokens = special_tokens(json, config.tokenizer_class);
  config.split_special_tokens = json.boolean_or("split_special_tokens", false);
  config.source = text;
  return config;
}

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "tokenizer_config.json";
  if (!is_listed(file)) return {};
  return parse_tokenizer_config(read_file(file, "reading the tokenizer's config"), file);
}

}  // namespace niah::models
