// One comparison with a baseline, for the commands that make it: the two runs read, the verdict
// written, and when there is none, that.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/cli/gate_options.h"
#include "reports/analysis/results.h"
#include "reports/gate/gate.h"
#include "reports/gate/verdicts.h"

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

/// A run, its baselines, and what the gate says of it: one verdict a baseline, in their order.
struct Comparison {
  reports::Results current;
  std::vector<reports::Results> baselines{};
  reports::Verdicts verdicts{};

  ExitCode exit_code() const { return reports::worst_of(verdicts).exit_code(); }
};

/// Why nothing was compared.
struct Refusal {
  ExitCode code = ExitCode::kNotMeasured;
  std::string reason;
  std::string page{};  ///< path of the page that says so; empty if there is none
};

/// Draws the page of a comparison that was refused for a reason, and returns its path.
using DrawRefused = std::function<std::string(const std::string& reason)>;

/// Calls `compare`, after remove_outputs() of all files. If it throws, they say why, and the
/// history has a night that was refused; the page is drawn before. Passes on what it throws.
Comparison compared_or_refused(const std::vector<GateFiles>& all,
                               const std::function<Comparison()>& compare,
                               const DrawRefused& draw_page = {});

/// Writes that nothing was compared, and why, to every file that can be written.
void write_refusal(const GateFiles& files, const Refusal& refusal);

/// The gate's verdict on `current`, with what the two places, run folders or results.json, tell of
/// it. Throws what reports::gate throws.
reports::Verdict compare_places(const std::string& baseline_place, const reports::Results& baseline,
                                const std::string& current_place, const reports::Results& current,
                                const reports::GateOptions& options);

/// Writes the verdict to standard output and to the files.
void write_verdict(const GateFiles& files, const Comparison& comparison);

/// Writes the verdict as JUnit, summary and JSON.
void write_verdict_files(const GateFiles& files, const Comparison& comparison);

/// Makes `current` the baseline. One that is a run stays as it is, and the reason is said.
void replace_baseline(const std::string& baseline, const std::string& current);

}  // namespace niah
