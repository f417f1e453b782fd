// Runs of one sweep's shards, put together.
#pragma once

#include <filesystem>
#include <vector>

#include "reports/report.h"

namespace niah {

/// Writes a run folder with the records of all `runs` and draws its reports. A sample that several
/// have counts once. Throws UsageError when `out` holds a run already or the runs are not of one
/// sweep (naming the differences), DataError for files and for records that contradict each other.
reports::Report merge_runs(const std::vector<std::filesystem::path>& runs,
                           const std::filesystem::path& out);

}  // namespace niah
