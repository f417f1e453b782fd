// Fuzz target: arbitrary bytes as a model's output. No reader may throw.
#include "tests/fuzz/support.h"
#include "tests/tasks/reasoning/read_answer.h"

NIAH_FUZZ_TARGET(answer) {
  niah::tasks::test::read_every_way(niah::fuzz::as_text(data, size));
  return 0;
}
