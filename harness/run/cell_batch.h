// Which cells are read together.
#pragma once

#include <vector>

#include "harness/config/sweep.h"
#include "harness/plan/work_list.h"
#include "harness/run/job_cost.h"

namespace niah {

/// Cells (or one reasoning set) whose prompts go into one list.
using CellBatch = std::vector<WorkItem>;

/// Batches the lengths of a task where that pays: a short text is often a prefix of a long one, and
/// need not be read again by an engine that shares prefixes. It does not pay with so many samples
/// that a common prefix hardly counts: then short lengths come first, and fewer prompts are held at
/// once. Batches are in the order of their first cells, the cells of a batch by length.
std::vector<CellBatch> batch_lengths(const std::vector<WorkItem>& assignments,
                                     const SweepConfig& sweep, bool shares_prefixes,
                                     const GroupCost& group);

}  // namespace niah
