// Small word problems with a running total, for the zoo's chain-of-thought fine-tune and for the
// reasoning set word-problems.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tasks/random/counter.h"

namespace niah::tasks {

/// One problem. `question + "\nAnswer:"` is the prompt; either response completes it.
struct WordProblem {
  std::string question;          ///< "Question: Tom has 5 apples. On Monday ... have now?"
  std::string chain_of_thought;  ///< every step written out, then "The answer is N."
  std::string direct;            ///< " The answer is N." at once
  std::int64_t answer = 0;

  std::string prompt() const { return question + "\nAnswer:"; }
};

/// A problem of `steps` additions and subtractions (1 to 7); totals stay in 0..20.
WordProblem make_word_problem(CounterRng& rng, std::int64_t steps);

/// Problem `index` of the held-out probe: 3 to 6 steps, a pure function of (seed, index), from a
/// stream that training never draws from.
WordProblem probe_problem(std::uint64_t seed, std::int64_t index);

/// The number that the last "The answer is" gives, as first_number writes it: on the same line, or
/// on the next that holds anything. Nullopt when there is none.
std::optional<std::string> final_answer(std::string_view output);

/// A running sum, one step per line: "5 + 3 = 8.\n8 - 2 = 6.\n".
std::string arithmetic_chain(CounterRng& rng, std::int64_t lines);

/// Independent sums, one per line: "12 + 7 = 19.\n".
std::string arithmetic_facts(CounterRng& rng, std::int64_t lines);

}  // namespace niah::tasks
