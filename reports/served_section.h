// The section of report.html that compares served variants with their checkpoints.
#pragma once

#include <string>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// Verdicts, tables by cell and by depth, and the first samples whose texts differ, as HTML; "" for
/// a run without served variants.
std::string served_section(const Results& results, const Analysis& analysis);

}  // namespace niah::reports
