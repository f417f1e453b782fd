// Line charts of recall by length.
#pragma once

#include <cstddef>
#include <string>

#include "reports/analysis/results.h"

namespace niah::reports {

/// CSS classes, defined in the page's style, for the run's variant at index `place`: one of eight
/// colours, solid for the first eight variants, dashed for the next eight, then dotted.
std::string series_class(std::size_t place);

/// Recall of all variants on a task, one line each, with Wilson's 95 % intervals as bands (only the
/// first three variants' when there are many); lengths are evenly spaced; a cell that was not
/// measured interrupts its line. Inline SVG.
std::string recall_chart_svg(const Results& results, const std::string& task);

}  // namespace niah::reports
