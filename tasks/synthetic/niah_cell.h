// Variable tracking, common and frequent words in our own protocol: RULER's texts, but sample i of
// a cell is a function of (seed, task, length, i) alone, and each is filled to its length.
#pragma once

#include <memory>

#include "tasks/synthetic/program.h"

namespace niah::tasks {

/// Throws UsageError when the smallest text of a sample is longer than the cell.
std::unique_ptr<Cell> make_niah_synthetic_cell(const SyntheticRequest& request);

}  // namespace niah::tasks
