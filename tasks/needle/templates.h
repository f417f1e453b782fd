// The words around a haystack: RULER's needle, question and answer prefix, as lm-evaluation-harness
// and NVIDIA RULER write them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace niah::tasks {

/// The depths that RULER places needles at, in percent: 40 of them from 0 to 100.
const std::vector<int>& depths();

/// The sentence index that `depth` percent of `sentences` means in the reference programs:
/// trunc(sentences * (depth / 100)) in doubles, the division first.
std::int64_t depth_position(std::int64_t sentences, double depth);

/// The one line of the repeated haystack.
inline constexpr std::string_view kRepeatedLine =
    "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";

/// "One of the special magic numbers for KEY is: VALUE."
std::string needle_sentence(ValueType value_kind, std::string_view key, std::string_view value);

/// The text before the context, its newline included.
std::string question_head(const Task& task);
/// The text after the context, its leading newline included; `query` names the keys asked for.
std::string question_tail(const Task& task, std::string_view query);
/// The start of the answer.
std::string answer_prefix(const Task& task, std::string_view query);

/// "a", or "a, b, and c".
std::string join_query(const std::vector<std::string>& keys);

}  // namespace niah::tasks
