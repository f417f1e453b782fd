// The gate's history: a JSON Lines file with one line per night.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "reports/analysis/results.h"
#include "reports/gate/gate.h"

namespace niah::reports {

/// One cell of one night.
struct NightCell {
  std::string kind, model, variant, task;
  std::int64_t length = 0;
  std::string fingerprint;  ///< of the variant that night
  std::int64_t n = 0, hits = 0;
  std::string outcome;  ///< gate_outcome_name
  bool operator==(const NightCell&) const = default;
};

/// One night.
struct GateRun {
  std::string time;  ///< ISO 8601 UTC, when the run ended
  int exit_code = 0;
  std::vector<NightCell> cells;
  std::vector<std::string> regressions;  ///< one sentence per cell or depth band that lost recall
  std::string refused{};  ///< why nothing was compared; empty for a night with a verdict
  /// The run's folder or results.json, as seen from the history's folder; empty if unknown.
  std::string run{};
  bool operator==(const GateRun&) const = default;
};

/// The history entry for a verdict on `current`.
GateRun make_night(const Verdict& verdict, const Results& current);

/// The history entry for a night, `time`, of which nothing was compared.
GateRun make_refused_night(std::string time, ExitCode code, std::string reason);

/// Appends the night to the file, creating it if needed and removing an incomplete last line. Does
/// nothing if the file has a night of the same run and time with as much of a verdict. Throws
/// DataError if the file is not a history or cannot be written.
void append_night(const std::filesystem::path& path, const GateRun& night);

/// The nights of a history file, in its order; an incomplete last line is left out. Throws
/// DataError naming file and line for any other bad line.
std::vector<GateRun> read_history(const std::filesystem::path& path);

/// An HTML page over all nights: for every variant and task a chart with one line per length and
/// Wilson's intervals, the nights that lost recall marked, and a table of the figures. Needs
/// neither network nor scripts.
std::string trend_page(const std::vector<GateRun>& nights, const std::string& title);

}  // namespace niah::reports
