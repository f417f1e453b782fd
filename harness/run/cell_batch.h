// Which cells are read as one.
#pragma once

#include <vector>

#include "harness/config/sweep.h"
#include "harness/plan/work_list.h"
#include "harness/run/job_cost.h"

namespace niah {

/// Cells (or one reasoning set) whose prompts go into one list.
using CellBatch = std::vector<WorkItem>;

/// Puts the lengths of a task together where that is worth it: a short text often begins as a long
/// one does, and need not be read again by an engine that shares prefixes. Not where samples are so
/// many that a text's beginning hardly counts: there short lengths come first, and fewer prompts
/// are held at once. Batches are in the order of their first cells, cells in theirs.
std::vector<CellBatch> batch_lengths(const std::vector<WorkItem>& assignments,
                                     const SweepConfig& sweep, bool shares_prefixes,
                                     const GroupCost& group);

}  // namespace niah
