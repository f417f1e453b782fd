#include "harness/cli/gate_options.h"

namespace niah {

reports::GateOptions GateArguments::options() const {
  reports::GateOptions options;
  options.max_drop = max_drop / 100;
  options.detectable = detectable / 100;
  options.allow_fewer_samples = allow_fewer_samples;
  options.require_same_arithmetic = !allow_other_arithmetic;
  options.alpha = alpha;
  options.served_as = served_as;
  return options;
}

void add_gate_options(CLI::App& command, GateArguments& arguments) {
  add_number(command, "--max-drop", arguments.max_drop, {0, 100},
             "A drop of so many points or fewer never fails")
      ->type_name("POINTS");
  add_number(command, "--alpha", arguments.alpha, {0, 1, /*open_low=*/true, /*open_high=*/true},
             "Chance of a false alarm, over all cells and depth bands together");
  add_number(command, "--detectable", arguments.detectable, {0, 100},
             "A cell that would not show a drop of so many points four times in five, by all of "
             "the gate's rules, is inconclusive")
      ->type_name("POINTS");
  command.add_flag("--allow-fewer-samples", arguments.allow_fewer_samples,
                   "The run may have only some of the baseline's samples");
  command.add_flag("--allow-other-arithmetic", arguments.allow_other_arithmetic,
                   "Compare also what was computed on another device or in another dtype; it is "
                   "named");
  command
      .add_option("--served-as", arguments.served_as,
                  "The baseline's variant whose checkpoint this run's server has, where its "
                  "config does not say it with `of:` (default: its base)")
      ->type_name("NAME");
}

void add_junit_and_summary(CLI::App& command, GateFiles& files) {
  command
      .add_option("--junit", files.junit,
                  "Write JUnit XML: a test case a cell and band, or the error for which nothing "
                  "was compared")
      ->type_name(kFileValue);
  command.add_option("--summary", files.summary, "Write a summary (Markdown), with all cells")
      ->type_name(kFileValue);
}

}  // namespace niah
