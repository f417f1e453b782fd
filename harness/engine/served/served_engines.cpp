#include "harness/engine/served/served_engines.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/config/served_section.h"
#include "harness/config/variant_words.h"
#include "harness/engine/served/openai_engine.h"
#include "harness/plan/plan.h"
#include "harness/version.h"

namespace niah::served {
namespace {

/// The key in the environment variable that the config names; empty where it names none.
std::string read_key(const ServedConfig& config, const std::string& name) {
  if (config.key_env.empty()) return "";
  const auto refuse = [&](const char* what) {
    return UsageError(fmt::format("{}: the environment variable {}, which key_env names, {}", name,
                                  config.key_env, what));
  };
  const char* value = std::getenv(config.key_env.c_str());
  if (value == nullptr) throw refuse("is not set; set it to the key, or leave key_env out");
  std::string key = value;
  if (key.empty()) throw refuse("is empty; set it to the key, or leave key_env out");
  constexpr std::size_t kLongestKey = 8192;
  const bool is_token =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!is_token || key.size() > kLongestKey)
    throw refuse(
        "holds no valid key: there is a blank, a line break or another character that is not in "
        "keys, or it is too long (it is not shown here); set it to the key alone");
  return key;
}

/// A core dump would hold the key. A limit of one byte also keeps away a program that collects
/// dumps (a pipe in core_pattern), which a limit of 0 does not (core(5)).
void forbid_core_dumps() {
  const rlimit none{1, 1};
  ::setrlimit(RLIMIT_CORE, &none);
}

/// What a server says of its version, as one short line.
std::string version_of(const ServerIdentity& identity) {
  constexpr std::size_t kLongest = 100;
  return cut_short(single_line(identity.version), kLongest);
}

/// Identifies a server by its version, its address and how it is asked.
std::string fingerprint(const ServedConfig& config, const std::string& version,
                        const std::string& tokenizer_sha256, const std::string& decoding) {
  return sha256_hex(fmt::format("niah {}\nserved\n{}\n{}\n{}\n{}", kVersion, served_text(config),
                                version, tokenizer_sha256, decoding))
      .substr(0, 16);
}

/// Throws DataError when the server takes fewer tokens than the longest cell has.
void require_length(const ServedConfig& config, const std::string& name, std::int64_t takes,
                    std::int64_t longest) {
  if (takes == 0 || longest <= takes) return;
  throw DataError(fmt::format(
      "{}: {} takes {} tokens of prompt and answer with model {}, and the longest cell has {}: its "
      "prompts would be cut or refused. Give the server a longer context (vLLM: --max-model-len, "
      "llama.cpp: --ctx-size, of which each slot has a part), or leave the longer lengths out "
      "(--set lengths=[...])",
      name, config.url, format_count(takes), config.model, format_count(longest)));
}

/// What a user should know of a server before trusting its answers.
std::vector<std::string> server_warnings(const ServedConfig& config, const std::string& name,
                                         const ServerIdentity& identity, std::int64_t longest) {
  std::vector<std::string> warnings;
  const auto add = [&](const std::string& what) {
    warnings.push_back(fmt::format("{}: {} {}", name, config.url, what));
  };
  if (identity.version.empty())
    add("does not tell its version: another one would go unnoticed, also between two runs that are "
        "compared");
  if (identity.longest == 0)
    add("does not tell how many tokens it takes: what is too long for it is found out by asking");
  // Our counts do not include the server's chat template.
  constexpr std::int64_t kTemplate = 256;
  if (config.api == "chat" && identity.longest > 0 && longest + kTemplate > identity.longest)
    add(
        fmt::format("puts its chat template around prompts of up to {} tokens with their answers, "
                    "and takes {} in all: the longest may be cut or refused",
                    format_count(longest), format_count(identity.longest)));
  return warnings;
}

/// Makes the server decode greedily whatever its checkpoint's generation_config.json says: vLLM and
/// SGLang take a repetition_penalty from there, which would change digits that occurred before.
ServedConfig with_plain_decoding(ServedConfig config, const ServerIdentity& identity) {
  const bool takes_penalty =
      identity.version.starts_with("vllm ") || identity.version.starts_with("sglang ");
  if (!takes_penalty) return config;
  nlohmann::json body = config.extra_body.empty() ? nlohmann::json::object()
                                                  : nlohmann::json::parse(config.extra_body);
  if (!body.contains("repetition_penalty")) body["repetition_penalty"] = 1;
  config.extra_body = body.dump();
  return config;
}

/// A server's speed is not known in advance; a token counts as much as one of a local model with a
/// billion parameters.
GroupCost token_cost() {
  constexpr double kToken = 2e9;
  return {.read = [](std::int64_t begin,
                     std::int64_t end) { return kToken * static_cast<double>(end - begin); },
          .ask = [](std::int64_t begin, std::int64_t end,
                    std::int64_t rows) { return kToken * static_cast<double>(end - begin + rows); },
          .variants = 1};
}

}  // namespace

ServedEngines::ServedEngines(const SweepConfig& sweep) {
  for (const ModelConfig& model : sweep.models)
    for (const VariantConfig& variant : model.variants) {
      if (variant.kind != VariantKind::kServed) continue;
      asked_.push_back({model.name, variant, ""});
      asked_.back().key = read_key(server_of(variant), asked_.back().name());
      if (!asked_.back().key.empty()) forbid_core_dumps();
    }
}

/// Nothing is computed here; a run that also has a local engine is described by that.
void ServedEngines::describe(reports::RunInfo& info) const {
  if (info.machine.empty()) info.machine = "served";
}

OpenedEngine ServedEngines::open_one(const Asked& asked, const WorkList& work,
                                     const std::string& tokenizer_sha256) const {
  const ServedConfig& config = server_of(asked.variant);
  const ServerIdentity identity = identify(config, asked.key);
  const std::int64_t longest = work.longest_length();
  require_length(config, asked.name(), identity.longest, longest);
  const std::string version = version_of(identity);
  reports::VariantInfo info = describe_variant(
      asked.variant, asked.model,
      fingerprint(config, version,
                  tokenizer_sha256.empty() ? work.tokenizer().sha256() : tokenizer_sha256,
                  decoding_text(work)));
  info.server = fmt::format("{} at {}", version.empty() ? "a server of unknown version" : version,
                            served_text(config));
  OpenedEngine opened;
  opened.groups = {{.variants = {info}, .cost = token_cost()}};
  opened.variants = {std::move(info)};
  opened.warnings = server_warnings(config, asked.name(), identity, longest);
  opened.engine = std::make_unique<OpenAiEngine>(with_plain_decoding(config, identity), asked.key,
                                                 work.tokenizer());
  return opened;
}

std::vector<OpenedEngine> ServedEngines::open(const WorkList& work,
                                              const std::string& tokenizer_sha256) const {
  std::vector<OpenedEngine> engines;
  for (const Asked& asked : asked_) {
    stop_if_interrupted();
    engines.push_back(open_one(asked, work, tokenizer_sha256));
  }
  return engines;
}

}  // namespace niah::served
