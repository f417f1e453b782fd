// What a command prints after it drew a report, and its exit code.
#pragma once

#include <filesystem>

#include "harness/base/error.h"
#include "harness/cli/command.h"
#include "reports/report.h"

namespace niah {

/// Prints to standard error a summary of the results and where the report in the folder `out` is.
/// Returns kOk when every cell has at least one measured sample, else kNotMeasured.
ExitCode print_report(const reports::Report& report, const std::filesystem::path& out);

/// As print_report, and also returns kNotMeasured when samples of the plan have no record, unless
/// `allow_missing` is set or the run is a single shard.
ExitCode print_whole_report(const reports::Report& report, const std::filesystem::path& out,
                            bool allow_missing);

/// Adds --allow-missing: exit 0 although samples of the plan have no record.
void add_allow_missing(CLI::App& command, bool& allow_missing);

}  // namespace niah
