// One comparison with a baseline, for the commands that make it: the two runs read, the verdict
// written, and when there is none, that.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "harness/base/error.h"
#include "harness/cli/gate_options.h"
#include "reports/analysis/results.h"
#include "reports/gate/gate.h"

namespace niah {

/// The results.json of a run folder, or the file itself.
std::filesystem::path results_file(const std::string& place);

/// Reads the baseline: a results.json, or that of a run folder, which must have been drawn from all
/// records of the journal next to it. Throws DataError.
reports::Results read_baseline(const std::string& place);

/// Reads the run to judge in the same way. Throws DataError also when the last run in its folder
/// did not end well, since the results are then of an earlier one.
reports::Results read_current(const std::string& place);

/// Throws DataError when the run ended more than `hours` ago.
void require_recent(const reports::Results& current, double hours);

/// Whether `path` is written to instead of being replaced: a device or a pipe, such as /dev/stdout.
bool is_device(const std::filesystem::path& path);

/// Removes the verdict that an earlier night left as JUnit, summary and JSON.
void remove_outputs(const GateFiles& files);

/// A run and what the gate says of it.
struct Comparison {
  reports::Results current;
  reports::Verdict verdict;
};

/// Calls `compare`, after remove_outputs(). If it throws, those files say why, and the history has
/// a night that was refused. Passes on what it throws.
Comparison compared_or_refused(const GateFiles& files, const std::function<Comparison()>& compare);

/// Writes that nothing was compared, and why, to every file that can be written.
void write_refusal(const GateFiles& files, ExitCode code, const std::string& reason);

/// The gate's verdict on `current`, with what the two places, run folders or results.json, tell of
/// it. Throws what reports::gate throws.
Comparison compare_places(const std::string& baseline_place, const reports::Results& baseline,
                          const std::string& current_place, reports::Results current,
                          const reports::GateOptions& options);

/// Writes the verdict to standard output and to the files.
void write_verdict(const GateFiles& files, const Comparison& comparison);

/// Makes `current` the baseline.
void replace_baseline(const std::string& baseline, const std::string& current);

}  // namespace niah
