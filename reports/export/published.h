// The paper's published figures, shown next to ours.
#pragma once

#include <vector>

#include "reports/record.h"

namespace niah::reports {

/// NIAH recall and MATH500 (percent) from arXiv 2606.11052, and the base models' recall from arXiv
/// 2601.22156. Cells that they do not give are empty.
std::vector<PublishedFigure> paper_figures();

}  // namespace niah::reports
