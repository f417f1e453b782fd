// Fuzz target: arbitrary bytes as a results.json, which the gate then compares with itself.
#include "reports/export/results_json.h"
#include "reports/gate/gate.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(results) {
  niah::fuzz::expect_result_or_error([&] {
    const auto results =
        niah::reports::parse_results(niah::fuzz::as_text(data, size), "fuzz/results.json");
    const auto verdict = niah::reports::gate(results, results);
    niah::fuzz::require(verdict.exit_code() != niah::ExitCode::kCheckFailed);
    (void)niah::reports::gate_markdown(verdict);
  });
  return 0;
}
