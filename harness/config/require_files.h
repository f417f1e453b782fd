// Whether the files and folders that a sweep names are there, asked before anything is opened.
#pragma once

#include "harness/config/sweep.h"

namespace niah {

/// Throws DataError where a checkpoint or adapter that is computed here is no folder, or where a
/// haystack, a tokenizer, samples or reasoning problems are not there, with the place where the
/// config or the command line names it; ListedError where several are missing.
void require_files(const SweepConfig& sweep);

}  // namespace niah
