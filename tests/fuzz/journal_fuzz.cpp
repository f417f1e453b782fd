// Fuzz target: arbitrary bytes as a journal.
#include <nlohmann/json.hpp>

#include "reports/journal_reader.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(journal) {
  const niah::fuzz::MemoryFile file(niah::fuzz::as_text(data, size));
  niah::fuzz::expect_result_or_error([&] {
    std::int64_t records = 0;
    const auto end =
        niah::reports::read_records(file.path(), [&](const niah::reports::Record& record) {
          ++records;
          // A record that was read can be written and read again.
          const nlohmann::json first = record;
          niah::fuzz::require(nlohmann::json(first.get<niah::reports::Record>()) == first);
        });
    niah::fuzz::require(end.records == records && end.valid_bytes <= size);
    niah::fuzz::require(end.torn == (end.valid_bytes < size));
  });
  return 0;
}
