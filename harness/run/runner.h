// Runs a sweep: asks all variants its samples, records the answers in the journal, draws the
// reports.
#pragma once

#include <filesystem>
#include <string>

#include "harness/config/sweep.h"
#include "harness/plan/sharding.h"
#include "harness/run/opened_engine.h"
#include "reports/report.h"

namespace niah {

/// The options of a run.
struct RunOptions {
  std::filesystem::path out;
  bool quiet = false;
  ShardChoice shard{};  ///< this run's part of the samples, as share_out gives it
};

/// "2/4" → shard 2 of 4. Throws UsageError.
ShardChoice parse_shard(const std::string& text);

/// Asks what the journal in `options.out` does not hold yet, with the engines that `opener` opens,
/// then draws the reports. The folder will hold plan.json, journal.jsonl, the mark of its last run
/// and what reports write.
/// Throws UsageError when the folder holds a run of another plan, or for a shard of a sweep whose
/// cells may end early, Interrupted (finished work saved) on Ctrl-C, DataError for files and
/// memory.
reports::Report run_sweep(const SweepConfig& sweep, const RunOptions& options,
                          const EngineOpener& opener);

}  // namespace niah
