// The options that `niah regress` and `niah nightly` share: when a drop fails, and which files are
// written.
#pragma once

#include <string>

#include "harness/cli/command.h"
#include "reports/gate/gate.h"

namespace niah {

/// When a drop fails the gate, in the units of the command line.
struct GateArguments {
  std::string served_as;
  double max_drop = 5, alpha = 0.05, detectable = 20;  // points, probability, points
  bool allow_fewer_samples = false, allow_other_arithmetic = false;

  reports::GateOptions options() const;
};

/// Where a verdict is written; an empty name: nowhere.
struct GateFiles {
  std::string junit, summary, history, trend;
};

void add_gate_options(CLI::App& command, GateArguments& arguments);

void add_junit_and_summary(CLI::App& command, GateFiles& files);

}  // namespace niah
