// The list of tasks, and what each one asks.
#pragma once

#include <cstdint>
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

/// How a task's texts are made.
enum class TaskFamily {
  kNeedle,            ///< needles hidden in a haystack
  kVariableTracking,  ///< a chain of assignments among lines of filler
  kCommonWords,       ///< a list of words, some of them often
  kFrequentWords,     ///< made-up words, some of them often
};

/// One task of RULER, by the names of its configuration. What is said of needles and haystack is of
/// the needle family alone.
struct Task {
  std::string name;
  TaskFamily family = TaskFamily::kNeedle;
  std::int64_t answer_tokens = 128;     ///< kept free for the answer; no answer may be longer
  std::string lm_eval_delimiter = " ";  ///< before the start of the answer, in protocol lm-eval
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

/// The task of that name, whichever protocols have it; nullptr if there is none.
const Task* known_task(std::string_view name);

/// The task `name` of `protocol`. Throws UsageError naming the nearest task.
const Task& find_task(std::string_view protocol, const std::string& name);

}  // namespace niah::tasks
