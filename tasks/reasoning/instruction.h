// Short instructions without a chain of thought: what the zoo's control fine-tune learns.
#pragma once

#include <string>

#include "tasks/random/counter.h"

namespace niah::tasks {

/// One instruction. `prompt` ends with "\nAnswer:"; the answer completes it.
struct Instruction {
  std::string prompt;
  std::string answer;  ///< begins with a space
};

/// Half of them ask for a value of a short list (2 to 4 keys with 7-digit numbers or hexadecimal
/// codes); the others, with equal shares, ask to repeat words, to reverse them, to count them, or
/// for the word after another one.
Instruction make_instruction(CounterRng& rng);

}  // namespace niah::tasks
