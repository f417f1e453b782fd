// Fuzz target: arbitrary bytes as the history file of the nightly gate.
#include "reports/gate/history.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(history) {
  const niah::fuzz::MemoryFile file(niah::fuzz::as_text(data, size));
  niah::fuzz::expect_result_or_error([&] {
    const auto nights = niah::reports::read_history(file.path());
    const std::string page = niah::reports::trend_page(nights, "fuzz");
    niah::fuzz::require(page.find("<script") == std::string::npos);
  });
  return 0;
}
