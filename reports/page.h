// report.html: the whole run on one page that needs neither network nor scripts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"
#include "reports/companion.h"
#include "reports/gate/page_section.h"

namespace niah::reports {

/// The page. `files` are the relative paths of the tables and heatmaps to link to; with `diagnosis`
/// it also links to the page of `niah diagnose` in the same folder. `baseline`: what a comparison
/// with a baseline found, its verdict on top. `companions`: other runs, each a section.
std::string report_page(const Results& results, const Analysis& analysis,
                        const std::vector<std::string>& files, bool diagnosis = false,
                        const BaselineSections& baseline = {},
                        const std::vector<Companion>& companions = {});

/// The beginning of such a page, up to its body; `style` is added after page_style().
std::string page_head(std::string_view title, std::string_view style = "");

/// The page's style sheet: light, dark, print, narrow screens.
std::string_view page_style();

}  // namespace niah::reports
