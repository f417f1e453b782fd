// Runs of one sweep's shards, put together.
#pragma once

#include <filesystem>
#include <vector>

#include "reports/report.h"

namespace niah {

/// Writes a run folder with the records of all `runs` and draws its reports; what the plan asks and
/// none of them has is in the report. A sample that several have counts once. `out` may hold an
/// earlier merge, whole or cut off by a crash, of which every record is among those of `runs`:
/// merging again gives the same folder, and a shard that was found again is added. Throws
/// UsageError when `out` holds anything else, or when the runs are not of one sweep or were not
/// computed alike (naming the differences), DataError for files and for records that contradict
/// each other.
reports::Report merge_runs(const std::vector<std::filesystem::path>& runs,
                           const std::filesystem::path& out);

}  // namespace niah
