// Whether the checkpoints of a sweep are there, asked before anything is opened.
#pragma once

#include "harness/config/sweep.h"

namespace niah {

/// Throws DataError where a checkpoint or adapter that is computed here is no folder, with the
/// place where the config or the command line names it; ListedError where several are none.
void require_checkpoints(const SweepConfig& sweep);

}  // namespace niah
