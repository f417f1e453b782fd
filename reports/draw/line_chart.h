// Line charts of recall by length.
#pragma once

#include <cstddef>
#include <string>

#include "reports/analysis/results.h"

namespace niah::reports {

/// CSS classes, defined in the page's style, for the run's variant at index `place`: one of eight
/// colours and one of three dashes, so that no two of the first 24 variants share both.
std::string series_class(std::size_t place);

/// The class of the colour alone.
std::string colour_class(std::size_t place);

/// What that variant's line looks like, for a key. Inline SVG.
std::string series_key_svg(std::size_t place);

/// What recall_chart_svg() shows: the unit, and whose intervals.
std::string recall_chart_note(const RunInfo& run);

/// Recall of all variants on a task, one line each, with Wilson's 95 % intervals as bands (only the
/// first three variants' when there are many); lengths are evenly spaced; a cell that was not
/// measured interrupts its line; lines of the same recall run side by side. Inline SVG.
std::string recall_chart_svg(const Results& results, const std::string& task);

}  // namespace niah::reports
