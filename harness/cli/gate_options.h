// The options that `niah regress`, `niah nightly` and `niah report` share: when a drop fails, and
// which files are written.
#pragma once

#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "reports/gate/gate.h"

namespace niah {

/// When a drop fails the gate, in the units of the command line.
struct GateArguments {
  std::string served_as;
  double max_drop = 5, alpha = 0.05, detectable = 20;  // points, probability, points
  bool allow_fewer_samples = false, allow_other_arithmetic = false;
  std::string inconclusive = "fail";
  std::vector<std::string> tolerances;  // "s3@64K=10"

  /// Throws UsageError for a tolerance that is none.
  reports::GateOptions options() const;
};

/// Where a verdict is written; an empty name: nowhere.
struct GateFiles {
  std::string junit, summary, history, trend, json;
};

void add_gate_options(CLI::App& command, GateArguments& arguments);

/// Adds --junit, --summary and --json.
void add_verdict_files(CLI::App& command, GateFiles& files);

}  // namespace niah
