// The page of a run that was compared with a baseline.
#pragma once

#include <filesystem>
#include <string>

#include "harness/cli/comparison.h"
#include "reports/report.h"

namespace niah {

/// Draws the page of the run in `run` with the verdict on top, and names it in the verdicts.
/// `report` is the run's. Throws DataError.
void draw_compared_page(const std::filesystem::path& run, const reports::Report& report,
                        Comparison& comparison);

/// Draws the page of the run in `run` with the reason for which it was not compared on top, so that
/// no earlier verdict is left standing. Returns the page's path; empty where there is no run, or
/// one that cannot be drawn: then there is no page either.
std::string draw_refused_page(const std::filesystem::path& run, const std::string& reason);

}  // namespace niah
