// Commands that run a built-in sweep: on the small models that come with the program, or on a pair
// of checkpoints.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "harness/cli/pair_options.h"
#include "harness/config/sweep.h"
#include "harness/run/runner.h"

namespace niah {

/// The options' values.
struct PairSweepArguments {
  RunOptions options{};
  PairArguments pair{};
  std::string family = "model";
  std::vector<std::string> config_overrides{}, overrides{};
  std::string haystack{};
};

/// Adds --out, the pair's options, --family, --override, --haystack, --set and --quiet. `config` is
/// the file below configs/ that is built in.
void add_pair_sweep_options(CLI::App& command, PairSweepArguments& arguments,
                            const std::string& config);

/// The built-in sweep `yaml`, named `file` in errors, with `overrides` and then those of --set.
/// With a pair its first model is that pair, without the variants that are other checkpoints, and
/// titled `title`; without reasoning unless --set asks for it. Throws UsageError for options that
/// do not go together, and DataError where the models that come with the program are needed and not
/// there.
SweepConfig pair_sweep(const PairSweepArguments& arguments, const char* yaml,
                       const std::string& file, Overrides overrides, const std::string& title);

/// Prints the report that `run` made in the folder `out`, and how long it took.
ExitCode run_pair_sweep(const std::function<reports::Report()>& run,
                        const std::filesystem::path& out);

}  // namespace niah
