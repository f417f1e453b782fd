#include "harness/config/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/listed_error.h"
#include "harness/base/numbers.h"
#include "harness/base/text.h"
#include "harness/config/models_section.h"
#include "harness/config/paths.h"
#include "harness/config/questions_section.h"
#include "harness/config/variant_words.h"
#include "tasks/reasoning/reasoning_set.h"
#include "tasks/sample.h"
#include "tasks/scoring.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

// The limits of values; configs/reference.yaml documents them.
constexpr IntegerRange kThreads{1, 4096};
constexpr IntegerRange kPassTokens{1, std::int64_t{1} << 24};
constexpr IntegerRange kMebibytes{0, std::int64_t{1} << 30};

RuntimeConfig read_runtime(YamlMap& root) {
  RuntimeConfig runtime;
  auto map = root.optional_map("runtime");
  if (!map) return runtime;
  runtime.device = map->text("device", runtime.device);
  runtime.dtype = map->choice("dtype", runtime.dtype, {"auto", "fp32", "bf16"});
  const auto or_auto = [&](const char* key, IntegerRange range) {
    const std::string text = map->text(key, "auto");
    const auto value = text == "auto" ? 0 : parse_integer(text, range);
    map->attempt([&] {
      if (!value)
        map->refuse(
            key, fmt::format("expected auto or {}, got '{}'", range_text(range), valid_utf8(text)));
    });
    return value.value_or(0);
  };
  runtime.threads = or_auto("threads", kThreads);
  runtime.prefill_chunk = or_auto("prefill_chunk", kPassTokens);
  runtime.share_prefixes = map->boolean("share_prefixes", true);
  constexpr std::int64_t kMiB = 1 << 20;
  runtime.mark_memory =
      map->integer("mark_memory_mib", runtime.mark_memory / kMiB, kMebibytes) * kMiB;
  runtime.memory = map->integer("memory_mib", 0, kMebibytes) * kMiB;
  map->finish();
  return runtime;
}

void read_report(YamlMap& root, SweepConfig& sweep) {
  auto map = root.optional_map("report");
  if (!map) return;
  const std::string published = map->text("published", "");
  map->attempt([&] {
    if (!published.empty() && published != "paper")
      map->refuse("published", "only `paper` is known");
  });
  sweep.published = !published.empty();
  if (map->has_any("caveats")) map->attempt([&] { sweep.caveats = map->texts("caveats"); });
  map->finish();
}

void read_generation(YamlMap& root, SweepConfig& sweep) {
  auto map = root.optional_map("generation");
  if (!map) return;
  GenerationConfig& generation = sweep.generation;
  generation.max_new_tokens = map->integer("max_new_tokens", tasks::kGenerationTokens, kTokenCount);
  generation.max_thinking_tokens = map->integer("max_thinking_tokens", 0, {0, kTokenCount.high});
  generation.stop_when_decided = map->boolean("stop_when_decided", true);
  map->finish();
}

void read_prompt(YamlMap& root, SweepConfig& sweep) {
  const bool thinks = sweep.generation.max_thinking_tokens > 0;
  PromptConfig& prompt = sweep.prompt;
  prompt.answer_prefix = !thinks;
  auto map = root.optional_map("prompt");
  if (!map) return;
  const bool has_format = map->attempt([&] {
    prompt.format = map->choice("format", "raw", {"raw", "chatml", "custom"});
  });
  const auto only_with = [&](const char* key, const char* format) {
    map->attempt([&] {
      if (has_format && map->has(key) && prompt.format != format)
        map->refuse(key, fmt::format("it belongs to format: {}", format));
    });
    return map->text(key, "");
  };
  prompt.system = only_with("system", "chatml");
  prompt.prefix = only_with("prefix", "custom");
  prompt.suffix = only_with("suffix", "custom");
  if (prompt.format == "custom" && prompt.prefix.empty() && prompt.suffix.empty())
    map->refuse("format", "custom needs a prefix or a suffix");
  prompt.answer_prefix = map->boolean("answer_prefix", prompt.answer_prefix);
  if (thinks && prompt.answer_prefix && !map->boolean("force", false))
    map->refuse("answer_prefix",
                "with the start of its answer given, the model has no place for the thought that "
                "generation.max_thinking_tokens asks for; `force: true` insists");
  map->boolean("force", false);
  prompt.bos = map->boolean("bos", true);
  map->finish();
}

ReasoningConfig read_reasoning_set(YamlMap map, const fs::path& base, Places& places) {
  ReasoningConfig reasoning;
  reasoning.kind = map.text("kind", reasoning.kind);
  const auto kinds = tasks::reasoning_kinds();
  if (std::find(kinds.begin(), kinds.end(), reasoning.kind) == kinds.end())
    map.refuse("kind", fmt::format("'{}' is not known{} ({})", valid_utf8(reasoning.kind),
                                   did_you_mean(reasoning.kind, kinds), fmt::join(kinds, ", ")));
  const bool built_in = reasoning.kind == "word-problems";
  if (built_in && map.has("path")) map.refuse("path", "word-problems are made, not read");
  map.raw("path");
  if (!built_in) {
    reasoning.path = path_at(map, "path", base);
    places[reasoning.path] = map.place("path");
  }
  const std::int64_t room = built_in ? 170 : reasoning.kind == "gsm8k" ? 512 : 2048;
  reasoning.samples =
      map.integer("samples", built_in ? 100 : 0, {built_in ? 1 : 0, kSampleCount.high});
  reasoning.max_new_tokens = map.integer("max_new_tokens", room, kTokenCount);
  map.finish();
  return reasoning;
}

/// `reasoning`: one set, or a list of sets.
void read_reasoning(YamlMap& root, const fs::path& base, SweepConfig& sweep) {
  if (!root.has_any("reasoning")) return;
  const auto add = [&](const YamlMap& map) {
    sweep.reasoning.push_back(read_reasoning_set(map, base, sweep.places));
    for (std::size_t i = 0; i + 1 < sweep.reasoning.size(); ++i)
      if (sweep.reasoning[i].kind == sweep.reasoning.back().kind)
        root.refuse("reasoning", fmt::format("{} is listed twice", sweep.reasoning[i].kind));
  };
  if (!root.raw("reasoning").IsSequence()) return add(root.map("reasoning"));
  for (const YamlMap& map : root.maps("reasoning")) root.attempt([&] { add(map); });
}

/// Whether two folders' names are the same except for a trailing slash.
bool is_same_folder(const fs::path& a, const fs::path& b) {
  const auto plain = [](const fs::path& path) {
    return path.has_filename() ? path : path.parent_path();
  };
  return plain(a) == plain(b);
}

/// The tokenizer that sizes samples: the one that the sweep or its models name, or else that of the
/// first checkpoint.
fs::path read_tokenizer(YamlMap& root, const fs::path& base, SweepConfig& sweep) {
  const std::vector<ModelConfig>& models = sweep.models;
  fs::path tokenizer;
  root.raw("tokenizer");
  if (root.has("tokenizer")) {
    tokenizer = path_at(root, "tokenizer", base);
    sweep.places[tokenizer] = root.place("tokenizer");
  }
  for (const ModelConfig& model : models) {
    if (model.tokenizer.empty()) continue;
    if (tokenizer.empty()) {
      tokenizer = model.tokenizer;
      sweep.places[tokenizer] = model.tokenizer_place;
    }
    if (!is_same_folder(tokenizer, model.tokenizer))
      root.refuse(
          "tokenizer",
          fmt::format("model '{}' names {}, and {} was named before; a sweep has one, by "
                      "which its samples are made: give each tokenizer a sweep of its own",
                      valid_utf8(model.name), model.tokenizer.string(), tokenizer.string()));
  }
  if (!tokenizer.empty()) return tokenizer;
  for (const ModelConfig& model : models)
    if (!model.base.empty()) return model.base.folder;
  root.refuse("tokenizer",
              "it is needed where every model is served: the folder of the served model's "
              "tokenizer, by which prompts are sized and spelled");
}

/// Refuses `api: chat` with a prompt frame that opens a thought: the server uses its own template,
/// which does not, so whole answers would be taken for the rest of a thought.
void check_thought(const YamlMap& root, const SweepConfig& sweep) {
  if (!tasks::is_thinking(sweep.prompt.prefix + sweep.prompt.suffix)) return;
  for (const ModelConfig& model : sweep.models)
    for (const VariantConfig& variant : model.variants)
      if (variant.served && variant.served->api == "chat")
        root.refuse("prompt",
                    fmt::format("its frame begins a thought, and '{}' is asked with `api: chat`, "
                                "whose template is the server's: leave <think> out of it, "
                                "or ask with `api: completions`",
                                valid_utf8(variant.name)));
}

std::set<std::string> edit(const YAML::Node& root, const Overrides& overrides) {
  std::set<std::string> edited;
  for (const auto& [path, value] : overrides) edited.insert(apply_override(root, path, value));
  return edited;
}

/// The names in `haystacks`; none where the config has one `haystack`.
std::vector<std::string> haystack_names(const std::string& yaml, const std::string& file,
                                        const Overrides& overrides) {
  YamlMap root =
      YamlMap::parse(yaml, file, [&](const auto& node) { return edit(node, overrides); });
  if (!root.has_any("haystacks")) return {};
  for (const char* other : {"haystack", "samples_from"})
    if (root.has_any(other))
      root.refuse("haystacks", fmt::format("`{}` is there as well; give one of them", other));
  const YamlMap haystacks = root.map("haystacks");
  for (const std::string& name : haystacks.keys())
    if (name.find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
        std::string::npos)
      haystacks.refuse(name, "a name of a folder was expected, of letters, digits, _ and -");
  return haystacks.keys();
}

/// Reads a sweep; `haystack` is the one of several that it has.
SweepConfig read_sweep_text(const std::string& yaml, const std::string& file, const fs::path& base,
                            const Overrides& overrides, const std::string& haystack = "") {
  YamlMap root = YamlMap::parse(yaml, file, [&](YAML::Node node) {
    const std::set<std::string> edited = edit(node, overrides);
    if (haystack.empty()) return edited;
    node["haystack"] = node["haystacks"][haystack];
    node.remove("haystacks");
    return edited;
  });
  root.keep_problems();
  SweepConfig sweep;
  if (root.has_any("haystacks"))
    root.attempt([&] {
      root.refuse("haystacks",
                  "each of several haystacks is a run of its own, and one run is made "
                  "here: give it as `haystack` (`niah run` makes them all)");
    });
  root.attempt([&] { sweep.name = root.text("name"); });
  sweep.title = root.text("title", "");
  read_questions(root, base, sweep);
  const bool has_models = root.attempt([&] { sweep.models = read_models(root, base); });
  root.raw("tokenizer");
  if (has_models) root.attempt([&] { sweep.tokenizer = read_tokenizer(root, base, sweep); });
  root.attempt([&] { read_generation(root, sweep); });
  root.attempt([&] { read_prompt(root, sweep); });
  root.attempt([&] { check_thought(root, sweep); });
  root.attempt([&] { read_reasoning(root, base, sweep); });
  root.attempt([&] { sweep.runtime = read_runtime(root); });
  root.attempt([&] { read_report(root, sweep); });
  root.finish();
  root.throw_problems();
  return sweep;
}

}  // namespace

bool has_local_variant(const ModelConfig& model) {
  return std::any_of(model.variants.begin(), model.variants.end(),
                     [](const VariantConfig& one) { return one.kind != VariantKind::kServed; });
}

bool has_local_variant(const SweepConfig& sweep) {
  return std::any_of(sweep.models.begin(), sweep.models.end(),
                     [](const ModelConfig& model) { return has_local_variant(model); });
}

bool has_served_variant(const SweepConfig& sweep) {
  return std::any_of(sweep.models.begin(), sweep.models.end(), [](const ModelConfig& model) {
    return find_kind(model.variants, VariantKind::kServed) != nullptr;
  });
}

std::optional<std::int64_t> SampleCounts::find(const std::string& task, std::int64_t length) const {
  const auto own = by_task.find(task);
  const auto& counts = own == by_task.end() ? by_length : own->second;
  const auto found = counts.find(length);
  return found == counts.end() ? std::nullopt : std::optional(found->second);
}

std::int64_t SampleCounts::at(const std::string& task, std::int64_t length) const {
  return find(task, length).value_or(otherwise);
}

namespace {

/// read(), with what it refuses in one line: keys and values may hold anything, newlines included.
template <typename Read>
auto refusing_in_one_line(const Read& read) {
  try {
    return read();
  } catch (const ListedUsageError&) {
    throw;
  } catch (const UsageError& error) {
    throw UsageError(single_line(error.what()));
  }
}

}  // namespace

SweepConfig parse_sweep(const std::string& yaml, const std::string& file, const fs::path& base,
                        const Overrides& overrides) {
  return refusing_in_one_line([&] { return read_sweep_text(yaml, file, base, overrides); });
}

std::vector<NamedSweep> read_sweeps(const fs::path& path, const Overrides& overrides) {
  const std::string yaml = read_file(path, "reading the config"), file = path.string();
  const std::vector<std::string> names =
      refusing_in_one_line([&] { return haystack_names(yaml, file, overrides); });
  if (names.empty()) return {{"", read_sweep(path, overrides)}};
  std::vector<NamedSweep> sweeps;
  for (const std::string& name : names) {
    sweeps.push_back({name, refusing_in_one_line([&] {
                        return read_sweep_text(yaml, file, path.parent_path(), overrides, name);
                      })});
    sweeps.back().sweep.name += " " + name;
  }
  return sweeps;
}

SweepConfig read_sweep(const fs::path& path, const Overrides& overrides) {
  return parse_sweep(read_file(path, "reading the config"), path.string(), path.parent_path(),
                     overrides);
}

}  // namespace niah
