// Fuzz target: arbitrary bytes as a user's file of problems.
#include "tasks/reasoning/reasoning_set.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(reasoning_set) {
  const niah::fuzz::MemoryFile file(niah::fuzz::as_text(data, size));
  for (const char* kind : {"gsm8k", "math500"})
    niah::fuzz::expect_result_or_error([&] {
      const auto set = niah::tasks::open_reasoning_set(kind, file.path(), 1);
      for (std::int64_t i = 0; i < set->size().value(); ++i)
        niah::fuzz::require(!set->problem(i).prompt.empty());
    });
  return 0;
}
