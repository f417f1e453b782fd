#include "harness/config/sweep.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "tasks/corpus/reasoning_set.h"
#include "tasks/protocol.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

fs::path resolve(const fs::path& base, const std::string& text) {
  return (fs::path(text).is_absolute() ? fs::path(text) : base / text).lexically_normal();
}

std::string describe(const VariantConfig& variant) {
  switch (variant.kind) {
    case VariantKind::kBase:
      return "Base: the checkpoint before the fine-tune";
    case VariantKind::kSft:
      return "CoT-SFT: after chain-of-thought fine-tuning";
    case VariantKind::kCheckpoint:
      return fmt::format("{}: checkpoint {}", variant.name, variant.checkpoint.filename().string());
    case VariantKind::kRestored:
      break;
  }
  switch (variant.restore.method) {
    case models::RestoreMethod::kQk:
      return "QK-Restore: CoT-SFT with W_Q and W_K of the softmax layers from base";
    case models::RestoreMethod::kQkPro:
      return fmt::format(
          "QK-Pro: CoT-SFT with W_K from base and W_Q moved so that W_Q W_K^T is base's (lambda "
          "{})",
          variant.restore.lambda);
    case models::RestoreMethod::kQkProExact:
      return "QK-Pro, exact: CoT-SFT with the W_Q and W_K nearest to its own whose W_Q W_K^T is "
             "base's";
    case models::RestoreMethod::kQ:
      return "Q only: CoT-SFT with W_Q from base (ablation)";
    case models::RestoreMethod::kK:
      return "K only: CoT-SFT with W_K from base (ablation)";
    case models::RestoreMethod::kV:
      return "V only: CoT-SFT with W_V from base (ablation)";
  }
  throw std::logic_error("unknown variant");
}

/// What `read` makes of the value of `key`; what it refuses is refused with its place.
template <typename Read>
auto at_its_place(const YamlMap& map, const char* key, const Read& read) {
  try {
    return read();
  } catch (const UsageError& error) {
    map.refuse(key, error.what());
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

/// The name that people read stands before the first ": " of a description; where two variants
/// would have the same, each gets its own name behind it.
void tell_apart(std::vector<VariantConfig>& variants) {
  const auto label = [](const VariantConfig& variant) {
    return variant.description.substr(0, variant.description.find(": "));
  };
  std::map<std::string, int> seen;
  for (const VariantConfig& variant : variants) ++seen[label(variant)];
  for (VariantConfig& variant : variants) {
    const std::string shown = label(variant);
    if (seen[shown] > 1 && !shown.empty())
      variant.description =
          fmt::format("{} ({}){}", shown, variant.name, variant.description.substr(shown.size()));
  }
}

VariantConfig plain_variant(const YamlMap& map, const std::string& name) {
  VariantConfig variant;
  variant.name = name;
  if (name == "base") return variant;
  if (name == "sft") {
    variant.kind = VariantKind::kSft;
    return variant;
  }
  std::vector<std::string> known = models::restore_method_names();
  known.insert(known.begin(), {"base", "sft"});
  if (std::find(known.begin(), known.end(), name) == known.end())
    map.refuse("variants",
               fmt::format("'{}' is not a variant{} ({}, or a mapping)", valid_utf8(name),
                           did_you_mean(name, known), fmt::join(known, ", ")));
  variant.kind = VariantKind::kRestored;
  variant.restore.method = models::parse_restore_method(name);
  return variant;
}

VariantConfig read_variant(YamlMap map, const fs::path& base) {
  VariantConfig variant;
  if (map.has("method") == map.has("checkpoint"))
    map.refuse(
        "method",
        "give either `method` (qk, qk-pro, qk-pro-exact, q, k, v) or `checkpoint` (a folder)");
  if (map.has("checkpoint")) {
    variant.kind = VariantKind::kCheckpoint;
    variant.checkpoint = resolve(base, map.text("checkpoint"));
    variant.name = map.text("name");
  } else {
    variant.kind = VariantKind::kRestored;
    const std::string method = map.text("method");
    variant.restore.method =
        at_its_place(map, "method", [&] { return models::parse_restore_method(method); });
    variant.restore.lambda = map.number("lambda", variant.restore.lambda);
    if (!(variant.restore.lambda >= 0)) map.refuse("lambda", "expected 0 or more");
    variant.restore.alpha = map.number("alpha", 1);
    if (!(variant.restore.alpha >= 0 && variant.restore.alpha <= 1))
      map.refuse("alpha", "expected a number from 0 (the fine-tune) to 1 (restored)");
    if (map.has("layers")) variant.restore.layers = read_layer_list(map);
    variant.name = map.text("name", models::restore_method_name(variant.restore.method));
  }
  variant.description = map.text("description", "");
  map.finish();
  return variant;
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
    if (variant.description.empty()) variant.description = describe(variant);
    const bool needs_sft =
        variant.kind == VariantKind::kSft || variant.kind == VariantKind::kRestored;
    if (needs_sft && !map.has("sft"))
      map.refuse("variants",
                 fmt::format("'{}' needs `sft`, the checkpoint after the fine-tune", variant.name));
  }
  tell_apart(variants);
  return variants;
}

/// A YAML value as JSON: quoted scalars are strings, plain ones null, true, false, numbers or
/// strings.
nlohmann::json to_json_value(const YAML::Node& node) {
  if (node.IsMap()) {
    auto object = nlohmann::json::object();
    for (const auto& item : node) object[item.first.Scalar()] = to_json_value(item.second);
    return object;
  }
  if (node.IsSequence()) {
    auto list = nlohmann::json::array();
    for (const auto& item : node) list.push_back(to_json_value(item));
    return list;
  }
  if (node.IsNull()) return nullptr;
  const std::string text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  const auto value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_primitive() && !value.is_discarded() ? value : nlohmann::json(text);
}

ModelConfig read_model(YamlMap map, const fs::path& base) {
  ModelConfig model;
  if (map.has("override")) {
    const YAML::Node node = map.raw("override");
    if (!node.IsMap())
      map.refuse("override",
                 "expected fields of config.json, such as {attn_logits_scaling: hype 500}");
    model.override = to_json_value(node);
  }
  model.name = map.text("name");
  model.base = resolve(base, map.text("base"));
  model.variants = read_variants(map, base);
  if (map.has("sft")) model.sft = resolve(base, map.text("sft"));
  map.text("sft", "");
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
    counts.otherwise = root.integer("samples");
    if (counts.otherwise < 1) root.refuse("samples", "expected at least 1");
    return counts;
  }
  YamlMap map = root.map("samples");
  if (map.has("max") || map.has("half_width")) {
    counts.otherwise = map.integer("max");
    if (counts.otherwise < 1) map.refuse("max", "expected at least 1");
    counts.half_width = map.number("half_width");
    if (!(counts.half_width > 0 && counts.half_width < 0.5))
      map.refuse("half_width", "expected a share between 0 and 0.5, such as 0.03");
    map.finish();
    return counts;
  }
  for (const std::string& key : map.keys()) {
    const auto length = parse_length(key);
    if (!length) map.refuse(key, "expected a length such as 4K as the key");
    const std::int64_t count = map.integer(key);
    if (count < 1) map.refuse(key, "expected at least 1");
    counts.by_length[*length] = count;
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
  if (root.has("samples")) {
    if (root.integer("samples") < 1) root.refuse("samples", "expected at least 1");
  }
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
  const auto or_auto = [&](const char* key) -> std::int64_t {
    if (!map->has(key) || map->text(key) == "auto") return map->text(key, "auto"), 0;
    const std::int64_t value = map->integer(key);
    if (value < 1) map->refuse(key, "expected auto or a positive integer");
    return value;
  };
  runtime.threads = or_auto("threads");
  runtime.prefill_chunk = or_auto("prefill_chunk");
  runtime.share_prefixes = map->boolean("share_prefixes", true);
  constexpr std::int64_t kMiB = 1 << 20;
  runtime.mark_memory = map->integer("mark_memory_mib", runtime.mark_memory / kMiB) * kMiB;
  if (runtime.mark_memory < 0) map->refuse("mark_memory_mib", "expected 0 or more");
  runtime.memory = map->integer("memory_mib", 0) * kMiB;
  if (runtime.memory < 0) map->refuse("memory_mib", "expected 0 (what the machine has) or more");
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
  generation.max_new_tokens = map->integer("max_new_tokens", 128);
  generation.max_thinking_tokens = map->integer("max_thinking_tokens", 0);
  generation.stop_when_decided = map->boolean("stop_when_decided", true);
  if (generation.max_new_tokens < 1) map->refuse("max_new_tokens", "expected at least 1");
  if (generation.max_new_tokens > 128)
    map->refuse("max_new_tokens", "the protocols keep room for 128 answer tokens, not more");
  if (generation.max_thinking_tokens < 0)
    map->refuse("max_thinking_tokens", "expected 0 (no thought) or more");
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
  reasoning.samples = map.integer("samples", built_in ? 100 : 0);
  reasoning.max_new_tokens = map.integer("max_new_tokens", room);
  if (reasoning.samples < (built_in ? 1 : 0)) map.refuse("samples", "expected at least 1");
  if (reasoning.max_new_tokens < 1) map.refuse("max_new_tokens", "expected at least 1");
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
  const std::int64_t seed = root.integer("seed", 0);
  if (seed < 0) root.refuse("seed", fmt::format("expected 0 or more, got {}", seed));
  sweep.seed = static_cast<std::uint64_t>(seed);
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
  try {
    node = YAML::Load(value);
  } catch (const YAML::Exception& error) {
    throw UsageError(fmt::format("--set {}: the value is not valid YAML: {}", path, error.msg));
  }
  return named;
}

}  // namespace

std::int64_t SampleCounts::at(std::int64_t length) const {
  const auto found = by_length.find(length);
  return found == by_length.end() ? otherwise : found->second;
}

std::pair<std::string, std::string> parse_override(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(fmt::format("--set '{}': expected key.path=value", valid_utf8(text)));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void add_config_override(nlohmann::json& override, const std::string& text) {
  const auto [field, value] = parse_override(text);
  try {
    override[field] = to_json_value(YAML::Load(value));
  } catch (const YAML::Exception& error) {
    throw UsageError(
        fmt::format("--override {}: the value is not valid YAML: {}", field, error.msg));
  }
}

SweepConfig parse_sweep(const std::string& yaml, const std::string& file, const fs::path& base,
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
    sweep.samples.otherwise = root.integer("samples", 0);
  std::set<std::string> names;
  for (YamlMap& model : root.maps("models")) {
    sweep.models.push_back(read_model(model, base));
    const std::string& name = sweep.models.back().name;
    if (!names.insert(name).second)
      model.refuse("name", fmt::format("two models are called '{}'", valid_utf8(name)));
  }
  sweep.tokenizer =
      root.has("tokenizer") ? resolve(base, root.text("tokenizer")) : sweep.models.front().base;
  root.text("tokenizer", "");
  read_generation(root, sweep);
  read_prompt(root, sweep);
  read_reasoning(root, base, sweep);
  sweep.runtime = read_runtime(root);
  read_report(root, sweep);
  root.finish();
  return sweep;
}

SweepConfig read_sweep(const fs::path& path, const Overrides& overrides) {
  return parse_sweep(read_file(path, "reading the config"), path.string(), path.parent_path(),
                     overrides);
}

}  // namespace niah
