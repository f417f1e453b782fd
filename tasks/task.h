// The list of tasks, and what each one asks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace niah::tasks {

/// What the needles are hidden in.
enum class HaystackType {
  kLines,        ///< one line, repeated (RULER's "noise")
  kText,         ///< sentences of a haystack
  kDistractors,  ///< lines in the form of needles, with other keys
};

/// What keys and values look like.
enum class ValueType {
  kWords,   ///< an adjective and a noun, hyphenated
  kNumber,  ///< seven digits
  kUuid,    ///< a version-4 UUID
};

/// One task of RULER's needle family, by the names of its configuration.
struct Task {
  std::string name;
  HaystackType haystack = HaystackType::kText;
  ValueType key = ValueType::kWords;
  ValueType value = ValueType::kNumber;
  int keys = 1;         ///< keys in the text
  int values = 1;       ///< values of each key
  int queries = 1;      ///< keys asked for
  bool absent = false;  ///< the needle is left out: whatever is answered is a false recall

  /// Whether the question is worded for one value.
  bool is_singular() const { return queries * values == 1; }
  int needles() const { return absent ? 0 : keys * values; }
};

/// All tasks, in the order to show them.
const std::vector<Task>& all_tasks();

/// The name by which records know a task that may be called as lm-evaluation-harness calls it: "s1"
/// of "niah_single_1", "multivalue" of "niah_multivalue". Any other name stays as it is.
std::string our_task_name(const std::string& name);

/// The task `name` of `protocol`. Throws UsageError naming the nearest task.
const Task& find_task(std::string_view protocol, const std::string& name);

}  // namespace niah::tasks
