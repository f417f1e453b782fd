#include "harness/config/sweep.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/numbers.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "reports/variants.h"
#include "tasks/corpus/reasoning_set.h"
#include "tasks/protocol.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

// What a config may ask for; configs/reference.yaml says it, too.
constexpr NumberRange kHalfWidth{0, 0.5, /*open_low=*/true, /*open_high=*/true};
constexpr IntegerRange kThreads{1, 4096};
constexpr IntegerRange kPassTokens{1, std::int64_t{1} << 24};
constexpr IntegerRange kMebibytes{0, std::int64_t{1} << 30};

fs::path resolve(const fs::path& base, const std::string& text) {
  return (fs::path(text).is_absolute() ? fs::path(text) : base / text).lexically_normal();
}

/// A checkpoint: a folder, or {base: FOLDER, adapter: FOLDER}.
models::CheckpointPath read_path(YamlMap& map, const std::string& key, const fs::path& base) {
  const YAML::Node node = map.raw(key);
  if (!node.IsDefined() || !node.IsMap()) return resolve(base, map.text(key));
  YamlMap both = map.map(key);
  models::CheckpointPath path{resolve(base, both.text("base")),
                              resolve(base, both.text("adapter"))};
  both.finish();
  return path;
}

/// ", alpha 0.5, layers 2,3": what is not as by default.
std::string parts_text(const models::RestoreOptions& options, const char* between) {
  std::string text;
  if (options.alpha != 1) text += fmt::format("{}alpha {}", between, options.alpha);
  if (options.layers) text += fmt::format("{}layers {}", between, fmt::join(*options.layers, ","));
  return text;
}

/// A label and what it stands for.
struct Words {
  std::string label, text;
};

/// What a method puts back.
Words restoration_words(const models::RestoreOptions& options) {
  switch (options.method) {
    case models::RestoreMethod::kQk:
      return {"QK-Restore", "W_Q and W_K of the softmax layers from base"};
    case models::RestoreMethod::kQkPro:
      return {"QK-Pro",
              fmt::format("W_K from base and W_Q moved so that W_Q W_K^T is base's (lambda {})",
                          options.lambda)};
    case models::RestoreMethod::kQkProExact:
      return {"QK-Pro, exact", "the W_Q and W_K nearest to its own whose W_Q W_K^T is base's"};
    case models::RestoreMethod::kQ:
      return {"Q only", "W_Q from base (ablation)"};
    case models::RestoreMethod::kK:
      return {"K only", "W_K from base (ablation)"};
    case models::RestoreMethod::kV:
      return {"V only", "W_V from base (ablation)"};
  }
  throw std::logic_error("unknown restoration");
}

/// What a variant is, where the file does not say: nothing is known of how a fine-tune was made.
Words plain_words(const VariantConfig& variant, const std::string& fine_tune) {
  switch (variant.kind) {
    case VariantKind::kBase:
      return {"Base", "the checkpoint before the fine-tune"};
    case VariantKind::kSft:
      return {"Fine-tuned", "the checkpoint after the fine-tune"};
    case VariantKind::kCheckpoint:
      return {variant.name, (variant.checkpoint.has_adapter() ? "adapter " : "checkpoint ") +
                                variant.checkpoint.own_folder().filename().string()};
    case VariantKind::kRestored:
      break;
  }
  Words words = restoration_words(variant.restore);
  words.text =
      fmt::format("{} with {}{}", fine_tune, words.text, parts_text(variant.restore, ", "));
  return words;
}

/// The first variant of that kind, or nullptr.
const VariantConfig* find_kind(const std::vector<VariantConfig>& variants, VariantKind kind) {
  for (const VariantConfig& variant : variants)
    if (variant.kind == kind) return &variant;
  return nullptr;
}

/// Fills in labels and descriptions that the file does not give. "Label: text" as a description
/// gives both.
void describe_all(std::vector<VariantConfig>& variants) {
  for (VariantConfig& variant : variants)
    if (variant.label.empty()) variant.label = reports::label_in(variant.description);
  const VariantConfig* tuned = find_kind(variants, VariantKind::kSft);
  const bool named = tuned != nullptr && !tuned->label.empty();
  const std::string fine_tune = named ? tuned->label : "the fine-tune";
  for (VariantConfig& variant : variants) {
    const Words plain = plain_words(variant, fine_tune);
    if (variant.label.empty())
      variant.label = variant.description.empty() ? plain.label : variant.name;
    if (variant.description.empty())
      variant.description = fmt::format("{}: {}", variant.label, plain.text);
  }
}

/// [2, 5-8], or the same as one text.
std::vector<std::int64_t> read_layer_list(YamlMap& map) {
  std::vector<std::int64_t> layers;
  for (const std::string& text : map.texts("layers")) {
    const auto some = at_its_place(map, "layers", [&] { return models::parse_layers(text); });
    layers.insert(layers.end(), some.begin(), some.end());
  }
  return layers;
}

VariantConfig plain_variant(const YamlMap& map, const std::string& name) {
  VariantConfig variant;
  variant.name = name;
  if (name == "base") return variant;
  if (name == "sft") {
    variant.kind = VariantKind::kSft;
    variant.role = reports::Role::kTuned;
    return variant;
  }
  std::vector<std::string> known = models::restore_method_names();
  known.insert(known.begin(), {"base", "sft"});
  if (std::find(known.begin(), known.end(), name) == known.end())
    map.refuse("variants",
               fmt::format("'{}' is not a variant{} ({}, or a mapping)", valid_utf8(name),
                           did_you_mean(name, known), fmt::join(known, ", ")));
  variant.kind = VariantKind::kRestored;
  variant.role = reports::Role::kRestored;
  variant.restore.method = models::parse_restore_method(name);
  return variant;
}

/// `of: base` or `of: sft`: the model's own checkpoint, with words of the file's own.
VariantConfig read_own_checkpoint(YamlMap& map) {
  const std::string of = map.text("of");
  if (of != "base" && of != "sft")
    map.refuse("of", fmt::format("expected base or sft, the model's own checkpoints, got '{}'; "
                                 "another one is named by `checkpoint`",
                                 valid_utf8(of)));
  VariantConfig variant = plain_variant(map, of);
  variant.name = map.text("name", of);
  return variant;
}

VariantConfig read_checkpoint(YamlMap& map, const fs::path& base) {
  VariantConfig variant;
  variant.kind = VariantKind::kCheckpoint;
  variant.checkpoint = read_path(map, "checkpoint", base);
  variant.name = map.text("name");
  const std::string role = map.text("role", reports::role_name(reports::Role::kControl));
  const auto known = reports::parse_role(role);
  if (!known)
    map.refuse("role", fmt::format("expected base, tuned, control or restored, got '{}'{}",
                                   valid_utf8(role),
                                   did_you_mean(role, {"base", "tuned", "control", "restored"})));
  variant.role = *known;
  variant.restored_from = map.text("restored_from", "");
  variant.fine_tune = map.text("fine_tune", "");
  if (variant.role == reports::Role::kRestored) return variant;
  for (const char* key : {"restored_from", "fine_tune"})
    if (map.has(key)) map.refuse(key, "it belongs to `role: restored`");
  return variant;
}

VariantConfig read_restoration(YamlMap& map) {
  VariantConfig variant;
  variant.kind = VariantKind::kRestored;
  variant.role = reports::Role::kRestored;
  const std::string method = map.text("method");
  variant.restore.method =
      at_its_place(map, "method", [&] { return models::parse_restore_method(method); });
  if (map.has("lambda") && variant.restore.method != models::RestoreMethod::kQkPro)
    map.refuse("lambda", "it belongs to `method: qk-pro`");
  variant.restore.lambda = map.number("lambda", variant.restore.lambda, {.low = 0});
  variant.restore.alpha = map.number("alpha", 1, {0, 1});
  if (map.has("layers")) variant.restore.layers = read_layer_list(map);
  variant.name = map.text("name", models::restore_method_name(variant.restore.method));
  return variant;
}

VariantConfig read_variant(YamlMap map, const fs::path& base) {
  const int given =
      (map.has("of") ? 1 : 0) + (map.has("method") ? 1 : 0) + (map.has("checkpoint") ? 1 : 0);
  if (given != 1)
    map.refuse("method",
               "give one of `method` (qk, qk-pro, qk-pro-exact, q, k, v), `checkpoint` (a folder) "
               "and `of` (base or sft)");
  if (!map.has("checkpoint"))
    for (const char* key : {"role", "restored_from", "fine_tune"})
      if (map.has(key))
        map.refuse(key, "it belongs to a `checkpoint`; what the others are is known");
  VariantConfig variant = map.has("of")           ? read_own_checkpoint(map)
                          : map.has("checkpoint") ? read_checkpoint(map, base)
                                                  : read_restoration(map);
  variant.label = map.text("label", "");
  variant.description = map.text("description", "");
  map.finish();
  return variant;
}

/// Which variants a restoration is between.
void connect_restorations(const YamlMap& map, std::vector<VariantConfig>& variants) {
  std::vector<std::string> names;
  for (const VariantConfig& variant : variants) names.push_back(variant.name);
  const auto name_of = [&](const VariantConfig& restored, reports::Role role, VariantKind kind) {
    if (const VariantConfig* own = find_kind(variants, kind)) return own->name;
    // What is put back here is between the model's own checkpoints, whether they are asked or not.
    if (restored.kind == VariantKind::kRestored) return std::string();
    for (const VariantConfig& variant : variants)
      if (variant.role == role) return variant.name;
    return std::string();
  };
  for (VariantConfig& variant : variants) {
    if (variant.role != reports::Role::kRestored) continue;
    for (const std::string& name : {variant.restored_from, variant.fine_tune})
      if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
        map.refuse("variants",
                   fmt::format("'{}': this model has no variant '{}'{}", valid_utf8(variant.name),
                               valid_utf8(name), did_you_mean(name, names)));
    if (variant.restored_from.empty())
      variant.restored_from = name_of(variant, reports::Role::kBase, VariantKind::kBase);
    if (variant.fine_tune.empty())
      variant.fine_tune = name_of(variant, reports::Role::kTuned, VariantKind::kSft);
  }
}

void refuse_second_base(const YamlMap& map, const std::vector<VariantConfig>& variants) {
  const VariantConfig* first = nullptr;
  for (const VariantConfig& variant : variants) {
    if (variant.role != reports::Role::kBase) continue;
    if (first != nullptr)
      map.refuse("variants", fmt::format("'{}' and '{}' both have the role base; a model has one",
                                         valid_utf8(first->name), valid_utf8(variant.name)));
    first = &variant;
  }
}

std::vector<VariantConfig> read_variants(YamlMap& map, const fs::path& base) {
  const YAML::Node list = map.raw("variants");
  std::vector<VariantConfig> variants;
  if (!list.IsDefined() || list.IsNull()) {
    variants.push_back(plain_variant(map, "base"));
    if (map.has("sft"))
      for (const char* name : {"sft", "qk", "qk-pro"}) variants.push_back(plain_variant(map, name));
  } else if (!list.IsSequence() || list.size() == 0) {
    map.refuse("variants", "expected a list such as [base, sft, qk]");
  } else {
    for (std::size_t i = 0; i < list.size(); ++i)
      variants.push_back(
          list[i].IsScalar()
              ? plain_variant(map, list[i].Scalar())
              : read_variant(map.wrap(list[i], fmt::format("variants[{}]", i)), base));
  }
  std::set<std::string> names;
  for (VariantConfig& variant : variants) {
    if (!names.insert(variant.name).second)
      map.refuse("variants", fmt::format("two variants are called '{}'; give one a `name`",
                                         valid_utf8(variant.name)));
    const bool needs_sft =
        variant.kind == VariantKind::kSft || variant.kind == VariantKind::kRestored;
    if (needs_sft && !map.has("sft"))
      map.refuse("variants",
                 fmt::format("'{}' needs `sft`, the checkpoint after the fine-tune", variant.name));
  }
  refuse_second_base(map, variants);
  connect_restorations(map, variants);
  describe_all(variants);
  return variants;
}

ModelConfig read_model(YamlMap map, const fs::path& base) {
  ModelConfig model;
  if (map.has("override")) {
    const YAML::Node node = map.raw("override");
    if (!node.IsMap())
      map.refuse("override",
                 "expected fields of config.json, such as {attn_logits_scaling: hype 500}");
    model.override = yaml_to_json(node);
  }
  model.name = map.text("name");
  if (model.name.empty()) map.refuse("name", "it is empty; reports need a name to show");
  model.base = read_path(map, "base", base);
  if (map.has("sft")) model.sft = read_path(map, "sft", base);
  map.raw("sft");
  model.variants = read_variants(map, base);
  map.finish();
  return model;
}

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
    // An option may ask for some of the file's lengths only.
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
        root.refuse("reasoning", fmt::format("{} stands twice", sweep.reasoning[i].kind));
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
    if (!seen.insert(task).second) root.refuse("tasks", fmt::format("'{}' stands twice", task));
  }
  for (std::size_t i = 1; i < sweep.lengths.size(); ++i)
    if (sweep.lengths[i] == sweep.lengths[i - 1])
      root.refuse("lengths", fmt::format("{} stands twice", format_length(sweep.lengths[i])));
}

/// What is asked, where samples are generated.
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

/// The node under one step of --set's path: a key of a mapping, which need not be there yet, or the
/// number of an element.
YAML::Node step_into(YAML::Node node, const std::string& step, const std::string& path) {
  if (!node.IsSequence()) {
    if (node.IsScalar())
      throw UsageError(fmt::format("--set {}: there is nothing in '{}' to be called '{}'", path,
                                   valid_utf8(node.Scalar()), step));
    return node[step];
  }
  for (std::size_t i = 0; i < node.size(); ++i)
    if (step == std::to_string(i)) return node[i];
  throw UsageError(
      fmt::format("--set {}: '{}': the number of an element was expected, and the list has {}",
                  path, step, node.size() == 0 ? "none" : fmt::format("0 to {}", node.size() - 1)));
}

/// Returns the path as errors name it: models.0.base is models[0].base.
std::string apply_override(YAML::Node root, const std::string& path, const std::string& value) {
  YAML::Node node = root;
  std::string named;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string step = path.substr(begin, end - begin);
    named += node.IsSequence() ? fmt::format("[{}]", step)
                               : fmt::format("{}{}", named.empty() ? "" : ".", step);
    node.reset(step_into(node, step, path));
    begin = end + 1;
  }
  node = parse_yaml_value(value, "--set " + path);
  return named;
}

/// What a variant computes with, as far as the config tells.
std::string weights_text(const ModelConfig& model, const VariantConfig& variant) {
  switch (variant.kind) {
    case VariantKind::kBase:
      return "checkpoint " + model.base.text();
    case VariantKind::kSft:
      return "checkpoint " + model.sft.text();
    case VariantKind::kCheckpoint:
      return "checkpoint " + variant.checkpoint.text();
    case VariantKind::kRestored:
      break;
  }
  return fmt::format("{} of {} with {}", restore_text(variant.restore), model.sft.text(),
                     model.base.text());
}

/// Samples of two variants that are the same could not be told apart by any report.
void refuse_equal_variants(const YamlMap& root, const std::vector<ModelConfig>& models) {
  std::map<std::string, std::string> seen;
  for (const ModelConfig& model : models)
    for (const VariantConfig& variant : model.variants) {
      const std::string weights = weights_text(model, variant);
      const std::string name = fmt::format("{} {}", model.name, variant.name);
      const auto [first, fresh] = seen.emplace(weights + model.override.dump(), name);
      if (!fresh)
        root.refuse("models", fmt::format("'{}' and '{}' are the same, {}: their samples could not "
                                          "be told apart; leave one out",
                                          first->second, name, weights));
    }
}

}  // namespace

std::int64_t SampleCounts::at(std::int64_t length) const {
  const auto found = by_length.find(length);
  return found == by_length.end() ? otherwise : found->second;
}

std::pair<std::string, std::string> parse_override(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(fmt::format("--set '{}': expected key.path=value", single_line(text)));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void add_config_override(nlohmann::json& override, const std::string& text) {
  const auto [field, value] = parse_override(text);
  override[field] = yaml_to_json(parse_yaml_value(value, "--override " + single_line(field)));
}

void describe_plainly(ModelConfig& model) {
  for (VariantConfig& variant : model.variants) {
    variant.label.clear();
    variant.description.clear();
  }
  describe_all(model.variants);
}

std::string restore_text(const models::RestoreOptions& options) {
  std::string text = models::restore_method_name(options.method);
  if (options.method == models::RestoreMethod::kQkPro)
    text += fmt::format(" lambda {}", options.lambda);
  return text + parts_text(options, " ");
}

namespace {

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
  std::set<std::string> names;
  for (YamlMap& model : root.maps("models")) {
    sweep.models.push_back(read_model(model, base));
    const std::string& name = sweep.models.back().name;
    if (!names.insert(name).second)
      model.refuse("name", fmt::format("two models are called '{}'", valid_utf8(name)));
  }
  refuse_equal_variants(root, sweep.models);
  sweep.tokenizer = root.has("tokenizer") ? resolve(base, root.text("tokenizer"))
                                          : sweep.models.front().base.folder;
  root.text("tokenizer", "");
  read_generation(root, sweep);
  read_prompt(root, sweep);
  read_reasoning(root, base, sweep);
  sweep.runtime = read_runtime(root);
  read_report(root, sweep);
  root.finish();
  return sweep;
}

}  // namespace

SweepConfig parse_sweep(const std::string& yaml, const std::string& file, const fs::path& base,
                        const Overrides& overrides) {
  try {
    return read_sweep_text(yaml, file, base, overrides);
  } catch (const UsageError& error) {
    // Keys and values may hold anything, line ends too.
    throw UsageError(single_line(error.what()));
  }
}

SweepConfig read_sweep(const fs::path& path, const Overrides& overrides) {
  return parse_sweep(read_file(path, "reading the config"), path.string(), path.parent_path(),
                     overrides);
}

}  // namespace niah
