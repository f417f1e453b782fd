// One call of the reference programs' generate_input_output: a sample of a given size, with random
// numbers drawn from CPython's stream in their order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/haystack/reference_haystack.h"
#include "tasks/needle/prompt_parts.h"
#include "tasks/needle/protocols.h"
#include "tasks/random/cpython.h"
#include "tasks/task.h"

namespace niah::tasks {

/// What a call made.
struct ReferenceDraft {
  PromptParts input;       ///< head, context and question, without the answer prefix
  std::string query = {};  ///< the keys asked for, as the question words them
  std::vector<std::string> outputs = {};
  std::string needle = {};  ///< the sentence that holds the first expected answer
  double depth = 0;         ///< of that needle, percent
  /// Of the first needle, percent; 0 where all of the haystack was drawn for this sample.
  double first_depth = 0;
  ContextFrame frame = {};
};

/// Makes a sample of `units` words or lines. The needles are shuffled by a generator of their own,
/// seeded with `shuffle_seed`. `haystack` must have been prepared for as many units.
ReferenceDraft make_draft(const Task& task, const ReferenceHaystack& haystack, std::int64_t units,
                          std::uint64_t shuffle_seed, CPythonRandom& random);

}  // namespace niah::tasks
