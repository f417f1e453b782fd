#include "harness/config/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/numbers.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/config/models_section.h"
#include "harness/config/variant_words.h"
#include "tasks/protocol.h"
#include "tasks/reasoning/reasoning_set.h"
#include "tasks/scoring.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

// The limits of values; configs/reference.yaml documents them.
constexpr NumberRange kHalfWidth{0, 0.5, /*open_low=*/true, /*open_high=*/true};
constexpr IntegerRange kThreads{1, 4096};
constexpr IntegerRange kPassTokens{1, std::int64_t{1} << 24};
constexpr IntegerRange kMebibytes{0, std::int64_t{1} << 30};

tasks::HaystackSpec read_haystack(YamlMap& root, const fs::path& base) {
  tasks::HaystackSpec spec;
  auto map = root.optional_map("haystack");
  if (!map) return spec;
  const std::string kind = map->text("kind");
  spec.kind = at_its_place(*map, "kind", [&] { return tasks::parse_haystack_kind(kind); });
  if (map->has("path")) spec.path = resolve(base, map->text("path"));
  map->text("path", "");
  at_its_place(*map, "path", [&] { tasks::require_path(spec); });
  spec.repeat = map->boolean("repeat", false);
  map->finish();
  return spec;
}

SampleCounts read_samples(YamlMap& root, const std::vector<std::int64_t>& lengths) {
  SampleCounts counts;
  const YAML::Node node = root.raw("samples");
  if (!node.IsDefined() || !node.IsMap()) {
    counts.otherwise = root.integer("samples", kSampleCount);
    return counts;
  }
  YamlMap map = root.map("samples");
  if (map.has("max") || map.has("half_width")) {
    counts.otherwise = map.integer("max", kSampleCount);
    counts.half_width = map.number("half_width", kHalfWidth);
    map.finish();
    return counts;
  }
  for (const std::string& key : map.keys()) {
    const auto length = parse_length(key);
    if (!length) map.refuse(key, "expected a length such as 4K as the key");
    const bool swept = std::find(lengths.begin(), lengths.end(), *length) != lengths.end();
    // `--set lengths=...` may select some of the file's lengths.
    if (!swept && !root.is_edited("lengths"))
      map.refuse(key, fmt::format("{} is none of `lengths`", format_length(*length)));
    const bool fresh = counts.by_length.emplace(*length, map.integer(key, kSampleCount)).second;
    if (!fresh)
      map.refuse(key, fmt::format("the count for {} was already given", format_length(*length)));
  }
  for (const std::int64_t length : lengths)
    if (!counts.by_length.contains(length))
      root.refuse("samples", fmt::format("no count for length {}", format_length(length)));
  return counts;
}

/// `samples_from`: a path, or a list of paths and of mappings {path, task, length}.
std::vector<tasks::SampleFile> read_sample_files(YamlMap& root, const fs::path& base) {
  std::vector<tasks::SampleFile> files;
  const YAML::Node node = root.raw("samples_from");
  if (!node.IsDefined()) return files;
  const auto add = [&](const YAML::Node& item, const std::string& path) {
    if (item.IsScalar()) {
      files.push_back({resolve(base, item.Scalar()), "", std::nullopt});
      return;
    }
    YamlMap map = root.wrap(item, path);
    tasks::SampleFile file{resolve(base, map.text("path")), map.text("task", ""), std::nullopt};
    if (map.has("length")) {
      const auto lengths = map.lengths("length");
      if (lengths.size() != 1) map.refuse("length", "expected one length");
      file.length = lengths.front();
    }
    map.finish();
    files.push_back(file);
  };
  if (!node.IsSequence()) {
    add(node, "samples_from");
  } else {
    for (std::size_t i = 0; i < node.size(); ++i) add(node[i], fmt::format("samples_from[{}]", i));
  }
  if (files.empty()) root.refuse("samples_from", "expected a file of samples");
  for (const char* key : {"protocol", "haystack", "tasks", "lengths", "seed"})
    if (root.has(key)) root.refuse(key, "the files of `samples_from` decide that; leave it out");
  return files;
}

RuntimeConfig read_runtime(YamlMap& root) {
  RuntimeConfig runtime;
  auto map = root.optional_map("runtime");
  if (!map) return runtime;
  runtime.device = map->text("device", runtime.device);
  runtime.dtype = map->text("dtype", runtime.dtype);
  const std::vector<std::string> dtypes = {"auto", "fp32", "bf16"};
  if (std::find(dtypes.begin(), dtypes.end(), runtime.dtype) == dtypes.end())
    map->refuse("dtype",
                fmt::format("expected auto, fp32 or bf16, got '{}'{}", valid_utf8(runtime.dtype),
                            did_you_mean(runtime.dtype, dtypes)));
  const auto or_auto = [&](const char* key, IntegerRange range) -> std::int64_t {
    if (!map->has(key) || map->text(key) == "auto") return map->text(key, "auto"), 0;
    const auto value = parse_integer(map->text(key), range);
    if (!value)
      map->refuse(key, fmt::format("expected auto or {}, got '{}'", range_text(range),
                                   valid_utf8(map->text(key))));
    return *value;
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
  if (map->has("published")) {
    if (map->text("published") != "paper") map->refuse("published", "only `paper` is known");
    sweep.published = true;
  }
  map->text("published", "");
  if (map->has("caveats")) sweep.caveats = map->texts("caveats");
  map->raw("caveats");
  map->finish();
}

void read_generation(YamlMap& root, SweepConfig& sweep) {
  auto map = root.optional_map("generation");
  if (!map) return;
  GenerationConfig& generation = sweep.generation;
  generation.max_new_tokens = map->integer("max_new_tokens", 128, kTokenCount);
  generation.max_thinking_tokens = map->integer("max_thinking_tokens", 0, {0, kTokenCount.high});
  generation.stop_when_decided = map->boolean("stop_when_decided", true);
  if (generation.max_new_tokens > 128)
    map->refuse("max_new_tokens", "the protocols keep room for 128 answer tokens, not more");
  map->finish();
}

void read_prompt(YamlMap& root, SweepConfig& sweep) {
  const bool thinks = sweep.generation.max_thinking_tokens > 0;
  PromptConfig& prompt = sweep.prompt;
  prompt.answer_prefix = !thinks;
  auto map = root.optional_map("prompt");
  if (!map) return;
  prompt.format = map->text("format", "raw");
  const std::vector<std::string> formats = {"raw", "chatml", "custom"};
  if (std::find(formats.begin(), formats.end(), prompt.format) == formats.end())
    map->refuse("format",
                fmt::format("expected raw, chatml or custom, got '{}'{}", valid_utf8(prompt.format),
                            did_you_mean(prompt.format, formats)));
  const auto only_with = [&](const char* key, const char* format) {
    if (map->has(key) && prompt.format != format)
      map->refuse(key, fmt::format("it belongs to format: {}", format));
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

ReasoningConfig read_reasoning_set(YamlMap map, const fs::path& base) {
  ReasoningConfig reasoning;
  reasoning.kind = map.text("kind", reasoning.kind);
  const auto kinds = tasks::reasoning_kinds();
  if (std::find(kinds.begin(), kinds.end(), reasoning.kind) == kinds.end())
    map.refuse("kind", fmt::format("'{}' is not known{} ({})", valid_utf8(reasoning.kind),
                                   did_you_mean(reasoning.kind, kinds), fmt::join(kinds, ", ")));
  const bool built_in = reasoning.kind == "word-problems";
  if (built_in && map.has("path")) map.refuse("path", "word-problems are made, not read");
  if (!built_in) reasoning.path = resolve(base, map.text("path"));
  const std::int64_t room = built_in ? 170 : reasoning.kind == "gsm8k" ? 512 : 2048;
  reasoning.samples =
      map.integer("samples", built_in ? 100 : 0, {built_in ? 1 : 0, kSampleCount.high});
  reasoning.max_new_tokens = map.integer("max_new_tokens", room, kTokenCount);
  map.finish();
  return reasoning;
}

/// `reasoning`: one set, or a list of sets.
void read_reasoning(YamlMap& root, const fs::path& base, SweepConfig& sweep) {
  if (!root.has("reasoning")) return;
  const YAML::Node node = root.raw("reasoning");
  if (!node.IsSequence()) {
    sweep.reasoning.push_back(read_reasoning_set(root.map("reasoning"), base));
    return;
  }
  for (YamlMap& map : root.maps("reasoning")) {
    sweep.reasoning.push_back(read_reasoning_set(map, base));
    for (std::size_t i = 0; i + 1 < sweep.reasoning.size(); ++i)
      if (sweep.reasoning[i].kind == sweep.reasoning.back().kind)
        root.refuse("reasoning", fmt::format("{} is listed twice", sweep.reasoning[i].kind));
  }
}

void check_tasks(YamlMap& root, const SweepConfig& sweep) {
  const auto known =
      at_its_place(root, "protocol", [&] { return tasks::task_names(sweep.protocol); });
  std::set<std::string> seen;
  for (const std::string& task : sweep.tasks) {
    if (std::find(known.begin(), known.end(), task) == known.end())
      root.refuse("tasks", fmt::format("'{}' is not a task of protocol {}{}", valid_utf8(task),
                                       sweep.protocol, did_you_mean(task, known)));
    if (!seen.insert(task).second) root.refuse("tasks", fmt::format("'{}' is listed twice", task));
  }
  for (std::size_t i = 1; i < sweep.lengths.size(); ++i)
    if (sweep.lengths[i] == sweep.lengths[i - 1])
      root.refuse("lengths", fmt::format("{} is listed twice", format_length(sweep.lengths[i])));
}

/// Reads what is asked when samples are generated, not read from files.
void read_questions(YamlMap& root, SweepConfig& sweep, const fs::path& base) {
  sweep.protocol = root.text("protocol", "niah");
  sweep.haystack = read_haystack(root, base);
  sweep.tasks = root.texts("tasks");
  sweep.lengths = root.lengths("lengths");
  std::sort(sweep.lengths.begin(), sweep.lengths.end());
  sweep.samples = read_samples(root, sweep.lengths);
  sweep.seed = static_cast<std::uint64_t>(root.integer("seed", 0, kNotNegative));
  check_tasks(root, sweep);
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
fs::path read_tokenizer(YamlMap& root, const fs::path& base,
                        const std::vector<ModelConfig>& models) {
  fs::path tokenizer;
  if (root.has("tokenizer")) tokenizer = resolve(base, root.text("tokenizer"));
  root.text("tokenizer", "");
  for (const ModelConfig& model : models) {
    if (model.tokenizer.empty()) continue;
    if (tokenizer.empty()) tokenizer = model.tokenizer;
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

SweepConfig read_sweep_text(const std::string& yaml, const std::string& file, const fs::path& base,
                            const Overrides& overrides) {
  YamlMap root = YamlMap::parse(yaml, file, [&](YAML::Node node) {
    std::set<std::string> edited;
    for (const auto& [path, value] : overrides) edited.insert(apply_override(node, path, value));
    return edited;
  });
  SweepConfig sweep;
  sweep.name = root.text("name");
  sweep.title = root.text("title", "");
  sweep.sample_files = read_sample_files(root, base);
  if (sweep.sample_files.empty())
    read_questions(root, sweep, base);
  else
    sweep.samples.otherwise = root.integer("samples", 0, kSampleCount);
  sweep.models = read_models(root, base);
  sweep.tokenizer = read_tokenizer(root, base, sweep.models);
  read_generation(root, sweep);
  read_prompt(root, sweep);
  check_thought(root, sweep);
  read_reasoning(root, base, sweep);
  sweep.runtime = read_runtime(root);
  read_report(root, sweep);
  root.finish();
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

std::int64_t SampleCounts::at(std::int64_t length) const {
  const auto found = by_length.find(length);
  return found == by_length.end() ? otherwise : found->second;
}

SweepConfig parse_sweep(const std::string& yaml, const std::string& file, const fs::path& base,
                        const Overrides& overrides) {
  try {
    return read_sweep_text(yaml, file, base, overrides);
  } catch (const UsageError& error) {
    // Keys and values may hold anything, newlines included.
    throw UsageError(single_line(error.what()));
  }
}

SweepConfig read_sweep(const fs::path& path, const Overrides& overrides) {
  return parse_sweep(read_file(path, "reading the config"), path.string(), path.parent_path(),
                     overrides);
}

}  // namespace niah
