// The run's findings as sentences, computed from its records.
#pragma once

#include <string>
#include <vector>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// Plain text, in reading order.
struct Findings {
  std::vector<std::string> headlines;  ///< one or two sentences per model
  std::vector<std::string> points;     ///< cell by cell, with n and intervals
  std::vector<std::string> warnings;   ///< what could not be measured or proves nothing
};

/// States where recall was lost, how much was recovered and how certain that is; states plainly
/// when nothing was lost or n is too small to tell.
Findings findings_in_words(const Results& results, const Analysis& analysis);

/// "95 % interval 55 to 92 %", followed by what it does not tell where it is unbounded or very
/// wide.
std::string interval_words(const Recovered& recovered);

/// "S3 at 64K: base 96 % (n = 25), after CoT-SFT 41 %, after QK-Restore 83 %: 76 % of the loss
/// recovered (95 % interval 55 to 92 %)."
std::string recovery_in_words(const RunInfo& run, const Recovery& recovery);

}  // namespace niah::reports
