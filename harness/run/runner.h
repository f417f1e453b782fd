// Runs a sweep: samples through variants into the journal.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "harness/config/sweep.h"
#include "harness/run/journal.h"
#include "harness/run/variants.h"
#include "models/tokenizer/tokenizer.h"
#include "reports/report.h"

namespace niah {

/// Where and how a run goes.
struct RunOptions {
  std::filesystem::path out;
  bool quiet = false;
};

/// Runs what the journal in `options.out` does not hold yet, then draws the reports. The folder
/// keeps plan.json, journal.jsonl and what reports write. Throws UsageError when the folder holds a
/// run of another plan, Interrupted (finished work saved) on Ctrl-C, DataError for files and
/// memory.
reports::Report run_sweep(const SweepConfig& sweep, const RunOptions& options);

}  // namespace niah
