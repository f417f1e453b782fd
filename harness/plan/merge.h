// Merges the runs of a sweep's shards.
#pragma once

#include <filesystem>
#include <vector>

#include "reports/report.h"

namespace niah {

/// Writes a run folder with the records of all `runs` and draws its reports, which also say which
/// planned samples no run has. A sample that several runs have counts once. `out` may hold an
/// earlier merge, whole or cut off by a crash, if all its records are among those of `runs`:
/// merging again gives the same folder, plus any shards that have been added. Where the last run of
/// a shard did not end well, the merge is marked by that, as mark_failed does. Throws UsageError
/// when `out` holds anything else, or when the runs are not of one sweep or were not computed alike
/// (naming the differences), DataError for files and for records that contradict each other.
reports::Report merge_runs(const std::vector<std::filesystem::path>& runs,
                           const std::filesystem::path& out);

}  // namespace niah
