// What the page of a run says of a baseline: the verdict of the gate, where recall differs from the
// baseline's, and which samples turned.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/analysis/results.h"
#include "reports/draw/heatmap.h"
#include "reports/gate/verdicts.h"

namespace niah::reports {

/// A map of this run minus the baseline.
struct BaselineMap {
  std::string task;
  std::string variant;  ///< its label
  std::string samples;  ///< "n = 10 to 14 a square"
  Heatmap map;
};

/// What a page has of a comparison with a baseline. All empty: nothing was compared.
struct BaselineSections {
  std::string verdict;            ///< HTML, for the top of the page
  std::vector<BaselineMap> maps;  ///< by task, then variant
  std::string samples;            ///< HTML: the samples that were lost and gained
};

/// What the page says of the verdicts on `current`, one for each baseline: a line of each where
/// there are several, and all of the worst.
BaselineSections baseline_sections(const std::vector<Results>& baselines, const Results& current,
                                   const Verdicts& verdicts);

/// The same for a comparison that was refused: only the reason.
BaselineSections refused_sections(const std::string& reason);

/// The style of a verdict, to be added to page_style().
std::string_view verdict_style();

}  // namespace niah::reports
