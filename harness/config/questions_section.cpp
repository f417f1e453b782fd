#include "harness/config/questions_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/numbers.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/config/needle_section.h"
#include "harness/config/paths.h"
#include "harness/config/ranges.h"
#include "tasks/needle/templates.h"
#include "tasks/protocol.h"
#include "tasks/task.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

constexpr NumberRange kHalfWidth{0, 0.5, /*open_low=*/true, /*open_high=*/true};
constexpr IntegerRange kDepthCount{1, 1000};

/// A language tag, of a text alone: what else there is, is English.
void read_language(YamlMap& map, tasks::HaystackSpec& spec) {
  const std::string language = map.text("language", "");
  if (language.empty()) return;
  const bool is_tag = std::all_of(language.begin(), language.end(),
                                  [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; });
  if (!is_tag || language.size() > 35 || std::isalpha(language.front()) == 0)
    map.refuse("language",
               fmt::format("expected a tag such as de or zh-Hant, got '{}'", valid_utf8(language)));
  spec.language = language;
  const bool is_given =
      spec.kind == tasks::HaystackKind::kEssays || spec.kind == tasks::HaystackKind::kText;
  if (!is_given && !tasks::is_english(spec))
    map.refuse("language", fmt::format("{} is English; another language needs a text of its own",
                                       tasks::haystack_kind_name(spec.kind)));
}

void read_haystack(YamlMap& root, const fs::path& base, SweepConfig& sweep) {
  auto map = root.optional_map("haystack");
  if (!map) return;
  tasks::HaystackSpec& spec = sweep.haystack;
  const std::string kind = map->text("kind");
  spec.kind = at_its_place(*map, "kind", [&] { return tasks::parse_haystack_kind(kind); });
  map->raw("path");
  if (map->has("path")) {
    spec.path = path_at(*map, "path", base);
    sweep.places[spec.path] = map->place("path");
  }
  at_its_place(*map, "path", [&] { tasks::require_path(spec); });
  spec.repeat = map->boolean("repeat", false);
  map->attempt([&] { read_language(*map, spec); });
  map->finish();
}

/// Refuses what the reference programs do not have: a text that is not English, and own needles.
void check_protocol(const YamlMap& root, const SweepConfig& sweep) {
  if (sweep.protocol == "niah") return;
  if (!sweep.needles.empty())
    root.refuse("needle", fmt::format("protocol {} has its own needles; others belong to protocol "
                                      "niah",
                                      sweep.protocol));
  if (!tasks::is_english(sweep.haystack))
    root.refuse("haystack", fmt::format("protocol {} splits every text as English; `language` "
                                        "belongs to protocol niah",
                                        sweep.protocol));
}

/// Refuses needles that are not asked for, unless the command line asks for some of the tasks.
void check_needles(const YamlMap& root, const SweepConfig& sweep) {
  for (const tasks::OwnNeedle& needle : sweep.needles)
    if (std::find(sweep.tasks.begin(), sweep.tasks.end(), needle.name) == sweep.tasks.end() &&
        !root.is_edited("tasks"))
      root.refuse("needle", fmt::format("`tasks` does not ask for '{}'", needle.name));
}

/// The tasks that a sweep may ask: the protocol's and its own needles.
std::vector<std::string> known_tasks(const SweepConfig& sweep) {
  std::vector<std::string> names = tasks::task_names(sweep.protocol);
  for (const tasks::OwnNeedle& needle : sweep.needles) names.push_back(needle.name);
  return names;
}

/// Tasks by the names that records have, each once.
void read_tasks(YamlMap& root, SweepConfig& sweep) {
  const auto known = at_its_place(root, "protocol", [&] { return known_tasks(sweep); });
  std::set<std::string> seen;
  for (const std::string& name : root.texts("tasks")) {
    const std::string task = tasks::our_task_name(name);
    if (std::find(known.begin(), known.end(), task) == known.end())
      root.refuse("tasks", fmt::format("'{}' is not a task of protocol {}{}", valid_utf8(name),
                                       sweep.protocol, did_you_mean(task, known)));
    if (!seen.insert(task).second) root.refuse("tasks", fmt::format("'{}' is listed twice", name));
    sweep.tasks.push_back(task);
  }
}

void read_lengths(YamlMap& root, SweepConfig& sweep) {
  sweep.lengths = root.lengths("lengths");
  std::sort(sweep.lengths.begin(), sweep.lengths.end());
  const auto twice = std::adjacent_find(sweep.lengths.begin(), sweep.lengths.end());
  if (twice != sweep.lengths.end())
    root.refuse("lengths", fmt::format("{} is listed twice", format_length(*twice)));
}

/// The depths of `{count: N}` or `{step: PERCENT}`.
std::vector<double> read_depth_map(YamlMap map) {
  if (map.has("count") == map.has("step"))
    map.refuse("", "expected a list of depths, {count: 11} or {step: 10}");
  std::vector<double> depths;
  if (map.has("count"))
    depths = even_depths(map.integer("count", kDepthCount));
  else
    depths = at_its_place(map, "step",
                          [&] { return parse_depth_range("0..100 step " + map.text("step")); });
  map.finish();
  return depths;
}

std::vector<double> read_depth_list(YamlMap& root) {
  std::vector<double> depths;
  bool is_marked = false, has_part = false;
  for (const std::string& text : root.texts("depths")) {
    const auto some = at_its_place(root, "depths", [&] { return parse_depth_range(text); });
    depths.insert(depths.end(), some.begin(), some.end());
    is_marked = is_marked || text.find('%') != text.npos;
    has_part = has_part || (some.front() > 0 && some.front() < 1);
  }
  const bool is_small =
      std::all_of(depths.begin(), depths.end(), [](double depth) { return depth <= 1; });
  if (is_small && has_part && !is_marked)
    root.refuse("depths",
                "depths are percent: write 50 where half of the text is meant, or 0.5% where one "
                "part in two hundred is");
  return depths;
}

void read_depths(YamlMap& root, SweepConfig& sweep) {
  if (!root.has_any("depths")) return;
  if (sweep.protocol != "niah")
    root.refuse("depths", fmt::format("protocol {} draws the depths as its reference does; given "
                                      "ones belong to protocol niah",
                                      sweep.protocol));
  sweep.depths =
      root.raw("depths").IsMap() ? read_depth_map(root.map("depths")) : read_depth_list(root);
  std::sort(sweep.depths.begin(), sweep.depths.end());
  const auto twice = std::adjacent_find(sweep.depths.begin(), sweep.depths.end());
  if (twice != sweep.depths.end())
    root.refuse("depths", fmt::format("{} is listed twice", depth_text(*twice)));
}

/// The lengths of a mapping's keys, with their counts. `is_selection`: the command line may ask for
/// some of the file's lengths.
std::map<std::int64_t, std::int64_t> read_counts(YamlMap& map, const std::vector<std::string>& keys,
                                                 const std::vector<std::int64_t>& lengths,
                                                 bool is_selection) {
  std::map<std::int64_t, std::int64_t> counts;
  for (const std::string& key : keys) {
    const auto length = parse_length(key);
    if (!length) map.refuse(key, "expected a length such as 4K, or a task, as the key");
    const bool swept = std::find(lengths.begin(), lengths.end(), *length) != lengths.end();
    if (!swept && !is_selection)
      map.refuse(key, fmt::format("{} is none of `lengths`", format_length(*length)));
    if (!counts.emplace(*length, map.integer(key, kSampleCount)).second)
      map.refuse(key, fmt::format("the count for {} was already given", format_length(*length)));
  }
  return counts;
}

/// The counts of one task: a number, or one for some lengths. The others have those of all tasks.
void read_task_counts(YamlMap& root, YamlMap& map, const std::string& key, const SweepConfig& sweep,
                      SampleCounts& counts) {
  const std::string task = tasks::our_task_name(key);
  auto own = counts.by_length;
  if (map.raw(key).IsMap()) {
    YamlMap of_task = map.map(key);
    for (const auto& [length, count] :
         read_counts(of_task, of_task.keys(), sweep.lengths, root.is_edited("lengths")))
      own[length] = count;
    of_task.finish();
  } else {
    const std::int64_t count = map.integer(key, kSampleCount);
    for (const std::int64_t length : sweep.lengths) own[length] = count;
  }
  if (!counts.by_task.emplace(task, std::move(own)).second)
    map.refuse(key, fmt::format("the counts for {} were already given", task));
}

SampleCounts read_samples_by_cell(YamlMap& root, const SweepConfig& sweep) {
  SampleCounts counts;
  YamlMap map = root.map("samples");
  const std::vector<std::string> known = known_tasks(sweep);
  std::vector<std::string> of_lengths, of_tasks;
  for (const std::string& key : map.keys()) {
    const std::string task = tasks::our_task_name(key);
    const bool swept = std::find(sweep.tasks.begin(), sweep.tasks.end(), task) != sweep.tasks.end();
    const bool is_task = std::find(known.begin(), known.end(), task) != known.end();
    if (is_task && !swept && !root.is_edited("tasks"))
      map.refuse(key, fmt::format("{} is none of `tasks`", task));
    (is_task ? of_tasks : of_lengths).push_back(key);
  }
  counts.by_length = read_counts(map, of_lengths, sweep.lengths, root.is_edited("lengths"));
  for (const std::string& key : of_tasks) read_task_counts(root, map, key, sweep, counts);
  for (const std::string& task : sweep.tasks)
    for (const std::int64_t length : sweep.lengths) {
      if (counts.find(task, length)) continue;
      const std::string of = of_tasks.empty() ? "" : task + " at ";
      root.refuse("samples", fmt::format("no count for {}length {}", of, format_length(length)));
    }
  return counts;
}

SampleCounts read_samples(YamlMap& root, const SweepConfig& sweep) {
  SampleCounts counts;
  const YAML::Node node = root.raw("samples");
  if (!node.IsDefined() || !node.IsMap()) {
    counts.otherwise = root.integer("samples", kSampleCount);
    return counts;
  }
  YamlMap map = root.map("samples");
  if (!map.has("max") && !map.has("half_width")) return read_samples_by_cell(root, sweep);
  counts.otherwise = map.integer("max", kSampleCount);
  counts.half_width = map.number("half_width", kHalfWidth);
  map.finish();
  return counts;
}

/// Refuses counts with which some of the given depths would never be asked.
void check_depths(const YamlMap& root, const SweepConfig& sweep) {
  const auto depths = static_cast<std::int64_t>(sweep.depths.size());
  for (const std::string& task : sweep.tasks)
    for (const std::int64_t length : sweep.lengths)
      if (const std::int64_t count = sweep.samples.at(task, length); count < depths)
        root.refuse("samples",
                    fmt::format("{} of {} at {} do not reach all {} depths of `depths`; ask for at "
                                "least {}, or for fewer depths",
                                count, task, format_length(length), depths, depths));
}

/// How many prompts of an own needle can differ at one depth, where that is known to be few.
std::int64_t variety(const tasks::OwnNeedle& needle) {
  constexpr std::int64_t kMany = std::int64_t{1} << 20;  // more than a cell may have
  const auto of = [](const tasks::TokenSource& source, int drawn) -> std::int64_t {
    if (drawn == 0) return 1;
    return source.list.empty() ? kMany : std::ssize(source.list);
  };
  return of(needle.keys, needle.keys_in_sample()) * of(needle.values, needle.values_in_sample());
}

/// Refuses counts with which a needle of few words would be asked the same again, which is no new
/// evidence.
void check_variety(const YamlMap& root, const SweepConfig& sweep) {
  const std::int64_t depths =
      sweep.depths.empty() ? std::ssize(tasks::depths()) : std::ssize(sweep.depths);
  for (const tasks::OwnNeedle& needle : sweep.needles)
    for (const std::int64_t length : sweep.lengths) {
      const std::int64_t count = sweep.samples.at(needle.name, length);
      const std::int64_t prompts = variety(needle) * depths;
      if (prompts < count)
        root.refuse("samples",
                    fmt::format("{} of {} at {} would be the same again: its keys, values and {} "
                                "depths make only {} prompts",
                                count, needle.name, format_length(length), depths, prompts));
    }
}

/// `samples_from`: a path, or a list of paths and of mappings {path, task, length}.
void read_sample_files(YamlMap& root, const fs::path& base, SweepConfig& sweep) {
  const auto add = [&](const YAML::Node& item, const std::string& key) {
    tasks::SampleFile file;
    if (item.IsScalar()) {
      file.path = at_its_place(root, "samples_from", [&] { return resolve(base, item.Scalar()); });
      sweep.places[file.path] = root.place("samples_from");
    } else {
      YamlMap map = root.wrap(item, key);
      file = {path_at(map, "path", base), tasks::our_task_name(map.text("task", "")), std::nullopt};
      sweep.places[file.path] = map.place("path");
      if (map.has("length")) {
        const auto lengths = map.lengths("length");
        if (lengths.size() != 1) map.refuse("length", "expected one length");
        file.length = lengths.front();
      }
      map.finish();
    }
    sweep.sample_files.push_back(file);
  };
  const YAML::Node node = root.raw("samples_from");
  if (!node.IsSequence()) return add(node, "samples_from");
  for (std::size_t i = 0; i < node.size(); ++i) add(node[i], fmt::format("samples_from[{}]", i));
}

void read_from_files(YamlMap& root, const fs::path& base, SweepConfig& sweep) {
  root.attempt([&] { read_sample_files(root, base, sweep); });
  for (const char* key : {"protocol", "haystack", "needle", "tasks", "lengths", "depths", "seed"}) {
    root.raw(key);
    root.attempt([&] {
      if (root.has(key)) root.refuse(key, "the files of `samples_from` decide that; leave it out");
    });
  }
  sweep.samples.otherwise = root.integer("samples", 0, kSampleCount);
}

}  // namespace

void read_questions(YamlMap& root, const fs::path& base, SweepConfig& sweep) {
  if (root.has_any("samples_from")) return read_from_files(root, base, sweep);
  sweep.protocol = root.text("protocol", "niah");
  root.attempt([&] { read_haystack(root, base, sweep); });
  const bool has_needles = root.attempt([&] { sweep.needles = read_needles(root, base); });
  root.raw("needle");
  root.attempt([&] { check_protocol(root, sweep); });
  // Counts are by task and length, and depths by protocol; needles are tasks.
  root.raw("tasks");
  const bool has_tasks = has_needles && root.attempt([&] { read_tasks(root, sweep); });
  if (has_tasks) root.attempt([&] { check_needles(root, sweep); });
  const bool has_lengths = root.attempt([&] { read_lengths(root, sweep); });
  const bool has_depths = root.attempt([&] { read_depths(root, sweep); });
  root.raw("samples");
  if (has_tasks && has_lengths)
    root.attempt([&] {
      sweep.samples = read_samples(root, sweep);
      if (!has_depths) return;
      check_depths(root, sweep);
      check_variety(root, sweep);
    });
  sweep.seed = static_cast<std::uint64_t>(root.integer("seed", 0, kNotNegative));
}

}  // namespace niah
