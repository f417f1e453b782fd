// What a command that drew a report says on the way out.
#pragma once

#include <filesystem>

#include "harness/base/error.h"
#include "harness/cli/command.h"
#include "reports/report.h"

namespace niah {

/// Says on standard error what came out, and where the report in the folder `out` is. Whether every
/// cell holds at least one sample that could be measured: kOk or kNotMeasured.
ExitCode print_report(const reports::Report& report, const std::filesystem::path& out);

/// The report of what others ran: also whether all is there that the plan asks. The shard of a
/// sweep is not expected to have the others' samples.
ExitCode print_whole_report(const reports::Report& report, const std::filesystem::path& out,
                            bool allow_missing);

/// --allow-missing: exit 0 for reports of runs that are not whole.
void add_allow_missing(CLI::App& command, bool& allow_missing);

}  // namespace niah
