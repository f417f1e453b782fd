// What a sweep asks of every variant, cell by cell: reports say what of it is missing.
#pragma once

#include <vector>

#include "harness/plan/work_list.h"
#include "reports/record.h"

namespace niah {

/// The cells and reasoning sets of a sweep. A reasoning set of unknown size is left out.
std::vector<reports::PlannedCell> planned_cells(const WorkList& work);

/// The cells by the config in a description of an earlier version, which does not list them,
/// without opening anything. Empty where only sample files know, or where the config cannot be
/// read.
std::vector<reports::PlannedCell> planned_by_config(const reports::RunInfo& info);

}  // namespace niah
