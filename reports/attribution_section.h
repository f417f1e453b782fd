// What parts of the weights brought back, as a section of a page.
#pragma once

#include <string>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// The verdict in words, bars, the path's steps and the tables, model by model; empty for a run
/// that restored no parts.
std::string attribution_section(const Results& results, const Analysis& analysis);

}  // namespace niah::reports
