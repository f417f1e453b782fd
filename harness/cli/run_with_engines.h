// Where the engines of a sweep are made.
#pragma once

#include "harness/config/sweep.h"
#include "harness/run/runner.h"
#include "reports/report.h"

namespace niah {

/// Runs a sweep by the engines that its models need. Throws what run_sweep throws.
reports::Report run_with_engines(const SweepConfig& sweep, const RunOptions& options);

}  // namespace niah
