// The run's answer in words, computed from its records.
#pragma once

#include <string>
#include <vector>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// Plain text, in the order to read it.
struct Findings {
  std::vector<std::string> headlines;  ///< one sentence or two a model
  std::vector<std::string> points;     ///< cell by cell, with n and intervals
  std::vector<std::string> warnings;   ///< what could not be measured, what says nothing
};

/// Says where recall was lost, how much came back, how sure that is; says so plainly where nothing
/// was lost or n is too small to tell.
Findings findings_in_words(const Results& results, const Analysis& analysis);

/// "S3 at 64K: base 96 % (n = 25), after CoT-SFT 41 %, after QK-Restore 83 %: 76 % of the loss
/// recovered (95 % interval 55 to 92 %)."
std::string recovery_in_words(const RunInfo& run, const Recovery& recovery);

}  // namespace niah::reports
