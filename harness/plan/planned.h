// What a sweep asks of every variant, cell by cell, so that reports can say what is missing.
#pragma once

#include <vector>

#include "harness/plan/work_list.h"
#include "reports/record.h"

namespace niah {

/// The cells and reasoning sets of a sweep. A reasoning set of unknown size is left out.
std::vector<reports::PlannedCell> planned_cells(const WorkList& work);

/// The cells according to the config in a run's description, for descriptions of earlier versions,
/// which do not list them. Opens no files. Empty when the cells come from sample files, or when the
/// config cannot be read.
std::vector<reports::PlannedCell> planned_by_config(const reports::RunInfo& info);

}  // namespace niah
