// Recall by length as lines with their intervals.
#pragma once

#include <cstddef>
#include <string>

#include "reports/analysis/results.h"

namespace niah::reports {

/// The look of the run's variant at `place`, as CSS classes that the page's style defines: a colour
/// for each of the first eight, dashes for those after them.
std::string series_class(std::size_t place);

/// Recall of all variants on a task, one line each, with Wilson's 95 % intervals as bands (of
/// the first three when there are many variants); lengths
/// are spaced evenly, cells that were not measured interrupt their line. Inline SVG.
std::string recall_chart_svg(const Results& results, const std::string& task);

}  // namespace niah::reports
