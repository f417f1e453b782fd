// What a run is compared with: baselines that are named, and earlier nights of a history.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "harness/cli/comparison.h"

namespace niah {

/// The options that name baselines.
struct BaselineArguments {
  std::vector<std::string> places;  ///< of --baseline: a results.json or run folder each
  std::int64_t last = 0;            ///< of --baseline-last
};

/// Adds --baseline, which may be given several times.
CLI::Option* add_baseline_option(CLI::App& command, std::vector<std::string>& places);

/// Adds --baseline, which is then required, and --baseline-last; returns the latter.
CLI::Option* add_baseline_options(CLI::App& command, BaselineArguments& arguments);

/// The gate's verdicts on `current`: one for each --baseline, and for each of the last nights that
/// passed, by the history, and were another run. What there were too few nights for is a note.
/// Throws DataError for a baseline that is not there or not comparable.
Comparison compare_with_baselines(const BaselineArguments& arguments, const std::string& history,
                                  const std::string& place, reports::Results current,
                                  const reports::GateOptions& options);

}  // namespace niah
