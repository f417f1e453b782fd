#include "tasks/task.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "tasks/protocol.h"

namespace niah::tasks {

const std::vector<Task>& all_tasks() {
  using enum TaskFamily;
  using enum HaystackType;
  using enum ValueType;
  static const std::vector<Task> tasks = {
      {.name = "s1", .haystack = kLines},
      {.name = "s2"},
      {.name = "s3", .value = kUuid},
      {.name = "multikey_1", .keys = 4},
      {.name = "multikey_2", .haystack = kDistractors},
      {.name = "multikey_3", .haystack = kDistractors, .key = kUuid, .value = kUuid},
      {.name = "multivalue", .values = 4},
      {.name = "multiquery", .keys = 4, .queries = 4},
      {.name = "absent", .absent = true},
      {.name = "vt", .family = kVariableTracking, .answer_tokens = 30},
      {.name = "cwe", .family = kCommonWords, .answer_tokens = 120, .lm_eval_delimiter = "\n\n"},
      {.name = "fwe", .family = kFrequentWords, .answer_tokens = 50},
  };
  return tasks;
}

const Task* known_task(std::string_view name) {
  const auto& tasks = all_tasks();
  const auto found =
      std::find_if(tasks.begin(), tasks.end(), [&](const Task& task) { return task.name == name; });
  return found == tasks.end() ? nullptr : &*found;
}

std::string our_task_name(const std::string& name) {
  constexpr std::string_view kFamily = "niah_", kSingle = "single_";
  if (!name.starts_with(kFamily)) return name;
  std::string own = name.substr(kFamily.size());
  if (own.starts_with(kSingle)) own = "s" + own.substr(kSingle.size());
  return known_task(own) == nullptr ? name : own;
}

const Task& find_task(std::string_view protocol, const std::string& name) {
  const auto names = task_names(std::string(protocol));
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw UsageError(fmt::format("protocol {}: no task '{}'{} (tasks: {})", protocol, name,
                                 did_you_mean(name, names), fmt::join(names, ", ")));
  }
  return *known_task(name);
}

}  // namespace niah::tasks
