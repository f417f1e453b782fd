// Runs an output through every scorer and extractor, for property tests and fuzzing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/base/error.h"
#include "tasks/reasoning/math_answer.h"
#include "tasks/reasoning/reasoning_set.h"
#include "tasks/reasoning/word_problem.h"
#include "tasks/scoring.h"
#include "tasks/unicode.h"

namespace niah::tasks::test {

/// Checks properties that hold for any output: it equals itself, and what is extracted occurs in
/// it. Throws logic_error if one does not hold.
inline void read_every_way(std::string_view output) {
  const std::string text(output);
  // Needles: every output has a score in 0..1 and a named miss class.
  for (const std::vector<std::string>& expected : {std::vector<std::string>{},
                                                   {"7654321"},
                                                   {"06d883d4-68a9-4e46-8db5-b6ed8fa2c5e0"},
                                                   {"7654321", text}}) {
    const double score = string_match_all(output, expected);
    check(score >= 0 && score <= 1, "a score lies from 0 to 1");
    for (const bool limit : {false, true})
      miss_class_name(classify({output, &expected, limit, "a prompt, and a little more of it"}));
  }
  matching_prefix(output, output);
  check(output.ends_with(answer_after_thought(output)), "an answer is the end of the output");

  // Reasoning.
  check(same_math(output, output), "an answer is the same as itself");
  for (const auto& answer : {final_math_answer(output), last_boxed(output), normalise_math(output)})
    if (answer) same_number(*answer, output);
  for (const auto& number : {final_number(output), first_number(output), final_answer(output)})
    check(!number || number->find_first_of("0123456789") != std::string::npos,
          "a number has a digit");
  static const auto words = open_reasoning_set("word-problems", "", 1);
  if (const auto answer = words->extract(output)) words->is_right(*answer, words->problem(0));

  // Characters.
  const std::size_t at = rfind_any_case(output, "the");
  check(at == output.npos || to_lower(output.substr(at, 3)) == "the", "a place is the text's own");
  strip(to_lower(collapse_white_space(output)));
}

}  // namespace niah::tasks::test
