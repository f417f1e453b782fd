// Runs that belong beside another run: folders in the folder `beside` of its own.
#pragma once

#include <filesystem>
#include <string>

#include "reports/report.h"

namespace niah {

/// Where the run `name` beside the run in `run` is.
std::filesystem::path companion_folder(const std::filesystem::path& run, const std::string& name);

/// Draws the runs beside the run in `run` again, and its page with a section for each, in the order
/// of their names; a run that cannot be read is said to be so there. Without any, nothing is drawn.
/// Throws DataError when the page cannot be written.
void add_companions(reports::Report& report, const std::filesystem::path& run);

}  // namespace niah
