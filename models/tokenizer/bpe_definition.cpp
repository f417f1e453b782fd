#include "models/tokenizer/bpe_definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/base/error.h"
#include "models/tokenizer/utf8.h"

namespace niah::models {
namespace {

using Merge = std::pair<std::string, std::string>;

/// The two tokens of "left right"; nullopt for anything else.
std::optional<Merge> split_merge(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  return Merge(line.substr(0, space), line.substr(space + 1));
}

std::optional<Merge> read_merge(const nlohmann::json& merge) {
  if (merge.is_string()) return split_merge(merge.get_ref<const std::string&>());
  if (!merge.is_array() || merge.size() != 2) return std::nullopt;
  if (!merge[0].is_string() || !merge[1].is_string()) return std::nullopt;
  return Merge(merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>());
}

void refuse_options(const JsonView& model) {
  const auto dropout = model.find("dropout");
  if (dropout && !dropout->is_zero()) dropout->fail("is set: it makes the ids random");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const auto affix = model.find(key);
    if (affix && !affix->string().empty()) affix->fail("is set, which is not supported");
  }
  if (model.boolean_or("byte_fallback", false)) {
    model.at("byte_fallback").fail("is true, which is not supported for byte-level BPE");
  }
}

void append_new(std::vector<AddedToken>& tokens, const AddedToken& token,
                const std::filesystem::path& file) {
  const auto same = std::find_if(tokens.begin(), tokens.end(), [&](const AddedToken& known) {
    return known.content == token.content;
  });
  if (same == tokens.end()) return tokens.push_back(token);
  if (same->id == token.id) return;
  throw DataError(
      fmt::format("reading {}: the token \"{}\" has id {} there and id {} in tokenizer_config.json",
                  file.string(), message_line(token.content), same->id, token.id));
}

}  // namespace

std::unordered_map<std::string, TokenId> read_vocab(const JsonView& json) {
  std::unordered_map<std::string, TokenId> vocab;
  vocab.reserve(json.object().size());
  for (const auto& [token, id] : json.object().items()) {
    const bool fits = id.is_number_unsigned() && id.get<std::uint64_t>() <= BpeModel::kMaxId;
    if (!fits) {
      json.at(token).fail(
          fmt::format("is {}, expected an id from 0 to {}", shown_json(id), BpeModel::kMaxId));
    }
    vocab.emplace(token, id.get<TokenId>());
  }
  return vocab;
}

BpeDefinition read_bpe_model(const JsonView& model) {
  const std::string type = model.string_or("type", "BPE");
  if (type != "BPE") model.at("type").fail("is \"" + type + "\", supported is BPE");
  refuse_options(model);
  BpeDefinition out;
  out.vocab = read_vocab(model.at("vocab"));
  out.ignore_merges = model.boolean_or("ignore_merges", false);
  out.fuse_unk = model.boolean_or("fuse_unk", false);
  if (const auto unk = model.find("unk_token")) out.unk_token = unk->string();
  const JsonView merges = model.at("merges");
  out.merges.reserve(merges.array().size());
  for (const auto& merge : merges.array()) {
    auto pair = read_merge(merge);
    if (!pair) {
      merges.fail(
          fmt::format("has {} as merge {}, expected \"left right\" or [\"left\", \"right\"]",
                      shown_json(merge), out.merges.size()));
    }
    out.merges.push_back(std::move(*pair));
  }
  return out;
}

std::vector<Merge> read_merges(std::string_view text, const std::filesystem::path& file) {
  std::vector<Merge> merges;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    auto merge = split_merge(line);
    if (!merge) {
      throw DataError(
          fmt::format("reading {}: line {} is \"{}\", expected two tokens and one space",
                      file.string(), number, message_line(line.substr(0, 60))));
    }
    merges.push_back(std::move(*merge));
  }
  return merges;
}

std::vector<AddedToken> join_added_tokens(const BpeDefinition& definition,
                                          std::vector<AddedToken> tokens,
                                          const TokenizerConfig& config,
                                          const std::filesystem::path& file) {
  for (const AddedToken& token : config.added_tokens) append_new(tokens, token, file);
  auto next = static_cast<TokenId>(definition.vocab.size());
  for (const AddedToken& token : tokens) {
    const auto known = definition.vocab.find(token.content);
    const TokenId expected = known != definition.vocab.end() ? known->second : next++;
    if (token.content.empty()) {
      throw DataError(fmt::format("reading {}: an added token is empty", file.string()));
    }
    if (token.id == expected) continue;
    throw DataError(fmt::format(
        "reading {}: the added token \"{}\" has id {}, but its place in the vocabulary is {}",
        file.string(), message_line(token.content), token.id, expected));
  }
  return tokens;
}

std::vector<AddedToken> number_special_tokens(const BpeDefinition& definition,
                                              const std::vector<AddedToken>& tokens,
                                              const TokenizerConfig& config) {
  std::set<std::string_view> known;
  auto next = static_cast<TokenId>(definition.vocab.size());
  for (const AddedToken& token : tokens) {
    known.insert(token.content);
    if (!definition.vocab.contains(token.content)) ++next;
  }
  std::vector<AddedToken> added;
  for (AddedToken token : config.special_tokens) {
    if (known.contains(token.content)) continue;
    const auto own = definition.vocab.find(token.content);
    token.id = own != definition.vocab.end() ? own->second : next++;
    added.push_back(std::move(token));
  }
  return added;
}

std::optional<TokenId> find_named_id(const std::optional<std::string>& name,
                                     const BpeDefinition& definition,
                                     const std::vector<AddedToken>& added) {
  if (!name) return std::nullopt;
  for (const AddedToken& token : added) {
    if (token.content == *name) return token.id;
  }
  const auto found = definition.vocab.find(*name);
  if (found == definition.vocab.end()) return std::nullopt;
  return found->second;
}

}  // namespace niah::models
