// Fuzz target: arbitrary bytes as a plan.json.
#include <nlohmann/json.hpp>

#include "reports/record.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(plan) {
  const auto json = nlohmann::json::parse(niah::fuzz::as_text(data, size), nullptr, false);
  if (json.is_discarded()) return 0;
  niah::fuzz::expect_result_or_error([&] {
    const nlohmann::json first = json.get<niah::reports::RunInfo>();
    niah::fuzz::require(nlohmann::json(first.get<niah::reports::RunInfo>()) == first);
  });
  return 0;
}
