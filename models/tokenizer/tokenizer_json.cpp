#include "models/tokenizer/tokenizer_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/sha256.h"
#include "harness/base/strict_json.h"
#include "models/tokenizer/bpe_definition.h"
#include "models/tokenizer/bpe_tokenizer.h"
#include "models/tokenizer/utf8.h"

namespace niah::models {
namespace {

/// The ids that a post-processor puts before and after a text.
struct Ends {
  std::vector<TokenId> prefix, suffix;

  /// Adds `outer` outside the present ids.
  void wrap(const Ends& outer) {
    prefix.insert(prefix.begin(), outer.prefix.begin(), outer.prefix.end());
    suffix.insert(suffix.end(), outer.suffix.begin(), outer.suffix.end());
  }
};

[[noreturn]] void refuse_type(const JsonView& json, std::string_view supported) {
  const JsonView type = json.at("type");
  type.fail(fmt::format("is \"{}\", supported are {}", type.string(), supported));
}

Normalization read_normalizer(const JsonView& json) {
  const std::string& type = json.at("type").string();
  if (type == "NFC") return Normalization::kNfc;
  if (type != "Sequence") refuse_type(json, "NFC and Sequence");
  auto out = Normalization::kNone;
  for (const JsonView& step : json.at("normalizers").elements()) {
    // NFC is idempotent, so repeated steps count once.
    if (read_normalizer(step) == Normalization::kNfc) out = Normalization::kNfc;
  }
  return out;
}

void require_byte_level_decoder(const JsonView& json) {
  if (json.at("type").string() == "ByteLevel") return;
  if (json.at("type").string() != "Sequence") refuse_type(json, "ByteLevel and Sequence");
  const auto steps = json.at("decoders").elements();
  if (steps.size() != 1) json.at("decoders").fail("has not exactly one step, expected ByteLevel");
  require_byte_level_decoder(steps.front());
}

std::vector<TokenId> template_ids(const JsonView& processor, const std::string& name) {
  std::vector<TokenId> ids;
  for (const JsonView& id : processor.at("special_tokens").at(name).at("ids").elements()) {
    ids.push_back(id.id());
  }
  return ids;
}

Ends read_template(const JsonView& processor) {
  Ends ends;
  const JsonView single = processor.at("single");
  bool after_text = false;
  for (const JsonView& piece : single.elements()) {
    if (const auto sequence = piece.find("Sequence")) {
      if (after_text || sequence->at("id").string() != "A") piece.fail("is a second text");
      after_text = true;
      continue;
    }
    const auto ids = template_ids(processor, piece.at("SpecialToken").at("id").string());
    auto& side = after_text ? ends.suffix : ends.prefix;
    side.insert(side.end(), ids.begin(), ids.end());
  }
  if (!after_text) single.fail("has no place for the text");
  return ends;
}

/// RobertaProcessing and BertProcessing: "cls" before the text, "sep" after it, each as [token,
/// id].
Ends read_cls_and_sep(const JsonView& processor) {
  const auto id = [&](std::string_view key) {
    const auto pair = processor.at(key).elements();
    if (pair.size() != 2) processor.at(key).fail("is not a token and its id");
    return pair[1].id();
  };
  return {{id("cls")}, {id("sep")}};
}

Ends read_post_processor(const JsonView& json) {
  const std::string& type = json.at("type").string();
  if (type == "ByteLevel") return {};
  if (type == "TemplateProcessing") return read_template(json);
  if (type == "RobertaProcessing" || type == "BertProcessing") return read_cls_and_sep(json);
  if (type != "Sequence") {
    refuse_type(json,
                "ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing and Sequence");
  }
  Ends ends;
  for (const JsonView& step : json.at("processors").elements()) {
    ends.wrap(read_post_processor(step));
  }
  return ends;
}

std::vector<AddedToken> read_added_tokens(const JsonView& json) {
  std::vector<AddedToken> tokens;
  std::set<std::string> seen;
  const auto added = json.find("added_tokens");
  if (!added) return tokens;
  for (const JsonView& entry : added->elements()) {
    AddedToken token = read_added_token(entry);
    token.id = entry.at("id").id();
    if (!seen.insert(token.content).second) entry.fail("has the content of an earlier one");
    tokens.push_back(std::move(token));
  }
  return tokens;
}

bool contains(const std::vector<TokenId>& ids, TokenId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// Versions of transformers differ in which of the two files they follow, so the files must agree.
void check_end(std::string_view field, std::optional<bool> wanted, std::optional<TokenId> token,
               const std::vector<TokenId>& ids, const TokenizerConfig& config,
               const std::filesystem::path& file) {
  if (!wanted || !token || contains(ids, *token) == *wanted) return;
  throw DataError(fmt::format(
      "reading {}: its post_processor {} the token of id {} around a prompt, but "
      "tokenizer_config.json {} (tokenizer_class \"{}\", {}: {}); set {} to what is meant",
      file.string(), *wanted ? "does not put" : "puts", *token,
      *wanted ? "asks for it" : "does not", message_line(config.tokenizer_class), field,
      *wanted ? "true" : "false", field));
}

/// Checks only the types of truncation and padding: they record how the tokenizer was last called,
/// and transformers sets them again for every call.
void check_call_settings(const JsonView& json) {
  for (const char* key : {"truncation", "padding"}) {
    if (const auto value = json.find(key)) value->object();
  }
}

/// The added tokens of both files, and what enters the content hash in addition to the files'
/// bytes. `rules` is empty in ordinary cases, which keeps hashes stable across versions of this
/// program.
struct JoinedTokens {
  std::vector<AddedToken> tokens;
  std::string rules;
};

JoinedTokens join_tokens(const BpeDefinition& definition, std::vector<AddedToken> tokens,
                         const TokenizerConfig& config, const std::filesystem::path& file) {
  JoinedTokens joined{join_added_tokens(definition, std::move(tokens), config, file), ""};
  for (AddedToken& token : number_special_tokens(definition, joined.tokens, config)) {
    joined.rules += fmt::format("\nspecial {} {}", token.id, token.content);
    joined.tokens.push_back(std::move(token));
  }
  if (config.split_special_tokens) joined.rules += "\nsplit special tokens";
  return joined;
}

}  // namespace

std::shared_ptr<const Tokenizer> parse_tokenizer_json(std::string_view text,
                                                      const TokenizerConfig& config,
                                                      const std::filesystem::path& file) {
  const nlohmann::json document = parse_json(text, file);
  const JsonView json(document, file);
  check_call_settings(json);
  require_byte_level_decoder(json.at("decoder"));
  const auto normalizer = json.find("normalizer");
  const auto processor = json.find("post_processor");
  const Ends ends = processor ? read_post_processor(*processor) : Ends{};
  const BpeDefinition definition = read_bpe_model(json.at("model"));
  auto [added, rules] = join_tokens(definition, read_added_tokens(json), config, file);
  const auto eos = find_named_id(config.eos_token, definition, added);
  check_end("add_bos_token", config.bos_rule(), find_named_id(config.bos_token, definition, added),
            ends.prefix, config, file);
  check_end("add_eos_token", config.add_eos_token, eos, ends.suffix, config, file);
  return make_bpe_tokenizer(
      {.file = file,
       .model = BpeModel(definition, file),
       .pre_tokenizer = PreTokenizer(json.at("pre_tokenizer")),
       .normalization = normalizer ? read_normalizer(*normalizer) : Normalization::kNone,
       .added_tokens = std::move(added),
       .split_special_tokens = config.split_special_tokens,
       .prefix_ids = ends.prefix,
       .suffix_ids = ends.suffix,
       .eos_id = eos,
       .sha256 = Sha256().update(text).update(config.source).update(rules).hex()});
}

std::shared_ptr<const Tokenizer> read_vocab_and_merges(const std::filesystem::path& folder,
                                                       const TokenizerConfig& config) {
  const bool qwen = config.tokenizer_class == "Qwen2Tokenizer";
  if (!qwen && config.tokenizer_class != "GPT2Tokenizer") {
    throw DataError(fmt::format(
        "reading {}: vocab.json and merges.txt do not say how to split texts, and {} "
        "tokenizer_class \"{}\" is not GPT2Tokenizer or Qwen2Tokenizer; put tokenizer.json there",
        folder.string(), "tokenizer_config.json's", config.tokenizer_class));
  }
  const auto vocab_file = folder / "vocab.json", merges_file = folder / "merges.txt";
  const std::string vocab_text = read_file(vocab_file, "reading the vocabulary");
  const std::string merges_text = read_file(merges_file, "reading the merges");
  refuse_lfs_pointer(merges_text, merges_file, "reading the merges");
  const nlohmann::json document = parse_json(vocab_text, vocab_file);
  BpeDefinition definition;
  definition.vocab = read_vocab(JsonView(document, vocab_file));
  definition.merges = read_merges(merges_text, merges_file);
  auto [added, rules] = join_tokens(definition, {}, config, vocab_file);
  const auto eos = find_named_id(config.eos_token, definition, added);
  const WordPattern pattern = qwen ? WordPattern{WordPattern::Family::kCl100k, 1} : kGpt2Pattern;
  return make_bpe_tokenizer({.file = vocab_file,
                             .model = BpeModel(definition, vocab_file),
                             .pre_tokenizer = PreTokenizer(pattern, config.add_prefix_space),
                             .normalization = qwen ? Normalization::kNfc : Normalization::kNone,
                             .added_tokens = std::move(added),
                             .split_special_tokens = config.split_special_tokens,
                             .prefix_ids = {},
                             .suffix_ids = {},
                             .eos_id = eos,
                             .sha256 = Sha256()
                                           .update(vocab_text)
                                           .update(merges_text)
                                           .update(config.source)
                                           .update(rules)
                                           .hex()});
}

}  // namespace niah::models
