// The figures that the paper publishes, to stand beside ours.
#pragma once

#include <vector>

#include "reports/record.h"

namespace niah::reports {

/// NIAH recall and MATH500 of arXiv 2606.11052 (percent), and the base models' recall of arXiv
/// 2601.22156, as far as they are known here: cells that they do not give are empty.
std::vector<PublishedFigure> paper_figures();

}  // namespace niah::reports
