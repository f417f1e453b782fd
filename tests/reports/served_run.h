// Runs of a server and of the checkpoint that it serves, for tests.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "reports/analysis/served.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {

/// Changes the server's record of sample `index` in the cell at `length`.
using ChangeOfRecord = std::function<void(std::int64_t length, std::int64_t index, Record& served)>;

inline Results served_run(std::int64_t n, const ChangeOfRecord& change,
                          const RunInfo& info = served_info()) {
  return collect(info, served_records(info, n, change));
}

/// The comparison of a run with one server.
inline ServedComparison only(const Results& results) {
  const std::vector<ServedComparison> all = compare_served(results);
  EXPECT_EQ(all.size(), 1U);
  return all.at(0);
}

/// Makes the record a miss.
inline void loses(Record& served, const std::string& text = "I cannot find it.") {
  served = missed(served);
  served.text = text;
}

/// A run with one length.
inline RunInfo one_length() {
  RunInfo info = served_info();
  info.lengths = {4096};
  return info;
}

}  // namespace niah::reports
