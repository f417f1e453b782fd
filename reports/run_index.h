// index.html: the runs of one sweep on several haystacks, side by side.
#pragma once

#include <string>
#include <vector>

#include "reports/analysis/results.h"

namespace niah::reports {

/// What the index says of one run.
struct IndexedRun {
  std::string haystack;  ///< its name in the config, which is also the run's folder
  std::string text;      ///< what it is: RunInfo::haystack
  struct Recall {
    std::string variant;
    std::string cell;
    std::int64_t hits = 0, n = 0;
  };
  std::vector<Recall> recalls;  ///< one a cell that was measured, in the results' order
};

IndexedRun indexed_run(const std::string& haystack, const Results& results);

/// A page with a table of recall, a row for each variant's cell and a column for each haystack, and
/// links to the reports. Needs neither network nor scripts.
std::string run_index(const std::string& title, const std::vector<IndexedRun>& runs);

}  // namespace niah::reports
