// What the gate said, night after night: one line of JSON a night.
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
  std::string fingerprint;  ///< of the weights that night
  std::int64_t n = 0, hits = 0;
  std::string outcome;  ///< gate_outcome_name
  bool operator==(const NightCell&) const = default;
};

/// One night.
struct GateRun {
  std::string time;  ///< ISO 8601 UTC, when the run ended
  int exit_code = 0;
  std::vector<NightCell> cells;
  std::vector<std::string> regressions;  ///< one sentence a cell or depth band that lost recall
  bool operator==(const GateRun&) const = default;
};

/// What a verdict on `current` leaves behind.
GateRun make_night(const Verdict& verdict, const Results& current);

/// Adds the night to the file, which is made when it is not there; a torn last line is dropped.
/// A night of the same time takes no second line. Throws DataError.
void append_night(const std::filesystem::path& path, const GateRun& night);

/// The nights of a history file, in its order; a torn last line is left out. Throws DataError with
/// file and line for any other bad line.
std::vector<GateRun> read_history(const std::filesystem::path& path);

/// One page over all nights: for every variant and task a line a length with Wilson's intervals,
/// red nights marked, and the figures behind it. Needs no network and no script.
std::string trend_page(const std::vector<GateRun>& nights, const std::string& title);

}  // namespace niah::reports
