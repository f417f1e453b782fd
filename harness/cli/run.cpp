// niah run: from a sweep to a report.
#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <tuple>

#include "harness/base/output.h"
#include "harness/base/units.h"
#include "harness/cli/command.h"
#include "harness/cli/print_report.h"
#include "harness/cli/run_with_engines.h"
#include "harness/config/sweep.h"
#include "harness/plan/run_mark.h"

namespace niah {
namespace {

struct RunArguments {
  std::string config, shard;
  std::vector<std::string> overrides;
  bool dry_run = false, by_headers = false;
  RunOptions options;
};

/// Prints how many samples without a result the same command would ask again.
void say_what_is_asked_again(const reports::Results& results) {
  std::map<std::string, std::int64_t> outcomes;
  std::int64_t samples = 0;
  for (const reports::Cell& cell : results.cells)
    for (const auto& [outcome, count] : cell.unmeasured) {
      if (!reports::is_asked_again(outcome)) continue;
      outcomes[outcome] += count;
      samples += count;
    }
  if (samples == 0) return;
  say("niah: the same command asks {} again: {}\n",
      samples == 1 ? "one sample" : fmt::format("{} samples", format_count(samples)),
      reports::unmeasured_words(outcomes));
}

SweepConfig sweep_of(const RunArguments& arguments) {
  return read_sweep(arguments.config, parse_overrides(arguments.overrides));
}

ExitCode run_config(RunArguments arguments) {
  const SweepConfig sweep = sweep_of(arguments);
  if (arguments.by_headers) throw UsageError("--by-headers is a way of --dry-run; give both");
  if (!arguments.shard.empty())
    std::tie(arguments.options.shard, arguments.options.shards) = parse_shard(arguments.shard);
  if (arguments.options.out.empty()) throw UsageError("--out is required: the folder of the run");
  const reports::Report report = run_with_engines(sweep, arguments.options);
  const ExitCode code = print_report(report, arguments.options.out);
  say_what_is_asked_again(report.results);
  const bool is_empty_shard = arguments.options.shards > 1 && report.results.cells.empty();
  return is_empty_shard ? ExitCode::kOk : code;
}

ExitCode run_run(const RunArguments& arguments) {
  if (!arguments.dry_run)
    return with_mark(arguments.options.out, [&] { return run_config(arguments); });
  write_stdout(
      laid_out(price_with_engines(sweep_of(arguments), arguments.by_headers), STDOUT_FILENO));
  return ExitCode::kOk;
}

}  // namespace

void add_run_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = add_command(
      program, "run", "Run a sweep from a YAML file (continues by itself when it was stopped)",
      "niah run configs/nightly.yaml --out runs/tonight");
  command->add_option("config", arguments->config, "The sweep (YAML)")
      ->type_name(kFileValue)
      ->required();
  command
      ->add_option("--out", arguments->options.out,
                   "Folder of the run: a new one, or that of the same sweep, which goes on (needed "
                   "but for --dry-run)")
      ->type_name(kFolderValue);
  command->add_flag("--dry-run", arguments->dry_run,
                    "Say what the sweep costs (tokens, FLOPs, memory, time) and run nothing");
  command->add_flag("--by-headers", arguments->by_headers,
                    "With --dry-run: read no weights; no time is said, and models that do not fit "
                    "here are priced");
  add_repeated(*command, "--set", arguments->overrides,
               "Change a key of the sweep: --set samples=20, --set models.0.base=FOLDER");
  command
      ->add_option(
          "--shard", arguments->shard,
          "Ask only the I-th of N parts of the samples, such as 2/4; `niah merge` puts the "
          "parts together")
      ->type_name("I/N");
  command->add_flag("--quiet", arguments->options.quiet, "Show no progress line");
  command->callback([arguments, &chosen] { chosen = [arguments] { return run_run(*arguments); }; });
}

}  // namespace niah
