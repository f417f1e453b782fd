// A run of its own that belongs beside another one, as a section of that one's page.
#pragma once

#include <string>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// Such a section.
struct Companion {
  std::string title;  ///< plain text
  std::string html;
};

/// What the run found, its recall cell by cell and what its parts brought back, with a link to its
/// own page in `folder`, which is relative to the page that shows it.
Companion companion_of(const Results& results, const Analysis& analysis, const std::string& folder);

/// The same for a run that cannot be read.
Companion unread_companion(const std::string& folder, const std::string& reason);

}  // namespace niah::reports
