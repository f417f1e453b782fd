// report.html: the whole run on one page that needs no network and no script.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// The page. `files` are the tables and heatmaps that lie beside it, by relative path; with
/// `diagnosis` it links to the page of `niah diagnose` that lies there, too.
std::string report_page(const Results& results, const Analysis& analysis,
                        const std::vector<std::string>& files, bool diagnosis = false);

/// The beginning of a page that needs no network and no script, up to its body: `style` follows
/// page_style().
std::string page_head(std::string_view title, std::string_view style = "");

/// The page's style sheet: light, dark, print, narrow screens.
std::string_view page_style();

}  // namespace niah::reports
