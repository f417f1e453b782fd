// What a command that drew a report says on the way out.
#pragma once

#include <filesystem>

#include "harness/base/error.h"
#include "reports/report.h"

namespace niah {

/// Says on standard error what came out, and where the report in the folder `out` is. Whether every
/// cell holds at least one sample that could be measured: kOk or kNotMeasured.
ExitCode print_report(const reports::Report& report, const std::filesystem::path& out);

}  // namespace niah
