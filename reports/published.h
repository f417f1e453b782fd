// The figures that the paper publishes, to stand beside ours.
#pragma once

#include <vector>

#include "reports/record.h"

namespace niah::reports {

/// NIAH recall and MATH500 of arXiv 2606.11052 (percent), as far as they are known here: cells that it
/// does not give are empty.
std::vector<PublishedFigure> paper_figures();

}  // namespace niah::reports
