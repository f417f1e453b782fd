// niah run: from a sweep to a report.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/cli/command.h"
#include "harness/cli/print_report.h"
#include "harness/cli/run_with_engines.h"
#include "harness/config/sweep.h"
#include "harness/plan/run_mark.h"
#include "models/checkpoint/checkpoint.h"
#include "reports/format.h"
#include "reports/run_index.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

/// The page that links the runs of several haystacks.
constexpr const char* kIndex = "index.html";

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
  say("niah: the same command asks {} again: {}\n", reports::counted(samples, "sample"),
      reports::unmeasured_words(outcomes));
}

std::vector<NamedSweep> sweeps_of(const RunArguments& arguments) {
  return read_sweeps(arguments.config, parse_overrides(arguments.overrides));
}

/// Throws UsageError.
ShardChoice shard_of(const RunArguments& arguments) {
  return arguments.shard.empty() ? ShardChoice() : parse_shard(arguments.shard);
}

void check_options(RunArguments& arguments) {
  if (arguments.by_headers) throw UsageError("--by-headers is a way of --dry-run; give both");
  arguments.options.shard = shard_of(arguments);
  if (arguments.options.out.empty()) throw UsageError("--out is required: the folder of the run");
}

ExitCode say_report(const reports::Report& report, const RunOptions& options) {
  const ExitCode code = print_report(report, options.out);
  say_what_is_asked_again(report.results);
  const bool is_empty_shard = options.shard.of > 1 && report.results.cells.empty();
  return is_empty_shard ? ExitCode::kOk : code;
}

/// The runs that `out` holds of an earlier call, of several haystacks.
std::vector<fs::path> known_runs(const fs::path& out) {
  std::vector<fs::path> runs;
  if (out.empty() || !is_there(out / kHaystacksFile)) return runs;
  const auto list = models::parse_json_file(out / kHaystacksFile, "reading which runs there are");
  if (!list.is_array()) return runs;
  for (const auto& name : list)
    if (name.is_string()) runs.push_back(out / fs::path(name.get<std::string>()).filename());
  return runs;
}

/// Reads the config; until it is read, the runs in `out` count as begun.
std::vector<NamedSweep> read_with_marks(RunArguments& arguments, std::vector<fs::path> runs) {
  std::vector<NamedSweep> sweeps;
  if (runs.empty()) {
    sweeps = sweeps_of(arguments);
    check_options(arguments);
    return sweeps;
  }
  const fs::path run = runs.back();
  runs.pop_back();
  with_mark(run, [&] {
    sweeps = read_with_marks(arguments, runs);
    return ExitCode::kOk;
  });
  return sweeps;
}

std::string index_title(const NamedSweep& one) {
  const std::string& name = one.sweep.name;  // with that of the haystack at its end
  return one.sweep.title.empty() ? name.substr(0, name.size() - one.haystack.size() - 1)
                                 : one.sweep.title;
}

/// Runs a sweep on each of several haystacks, in a folder of its own, and writes the index.
ExitCode run_haystacks(const RunArguments& arguments, const std::vector<NamedSweep>& sweeps) {
  const fs::path out = arguments.options.out;
  if (is_there(out / "plan.json"))
    throw UsageError(fmt::format(
        "--out {} holds a run; a sweep on several haystacks makes a folder for each in it",
        out.string()));
  require_own_folder(out, {kHaystacksFile}, "running the sweep");
  ensure_writable_folder(out);
  nlohmann::json names = nlohmann::json::array();
  for (const NamedSweep& one : sweeps) names.push_back(one.haystack);
  write_file(out / kHaystacksFile, names.dump() + "\n");
  ExitCode worst = ExitCode::kOk;
  std::vector<reports::IndexedRun> runs;
  for (const NamedSweep& one : sweeps) {
    RunOptions options = arguments.options;
    options.out = out / one.haystack;
    const ExitCode code = with_mark(options.out, [&] {
      const reports::Report report = run_with_engines(one.sweep, options);
      runs.push_back(reports::indexed_run(one.haystack, report.results));
      return say_report(report, options);
    });
    if (code != ExitCode::kOk) worst = code;
  }
  write_file(out / kIndex, reports::run_index(index_title(sweeps.front()), runs));
  say("All haystacks: {}\n", single_line((out / kIndex).string()));
  return worst;
}

ExitCode run_config(RunArguments arguments) {
  const fs::path out = arguments.options.out;
  const std::vector<NamedSweep> sweeps = read_with_marks(arguments, known_runs(out));
  if (sweeps.size() > 1 || !sweeps.front().haystack.empty())
    return run_haystacks(arguments, sweeps);
  return say_report(run_with_engines(sweeps.front().sweep, arguments.options), arguments.options);
}

ExitCode run_run(const RunArguments& arguments) {
  if (!arguments.dry_run)
    return with_mark(arguments.options.out, [&] { return run_config(arguments); });
  const ShardChoice shard = shard_of(arguments);
  for (const NamedSweep& one : sweeps_of(arguments)) {
    if (!one.haystack.empty()) write_stdout(fmt::format("haystack {}\n", one.haystack));
    write_stdout(
        laid_out(price_with_engines(one.sweep, arguments.by_headers, shard), STDOUT_FILENO));
  }
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
                   "Folder of the run, or of a run for each of several `haystacks`: a new one, or "
                   "that of the same sweep, which goes on (needed but for --dry-run)")
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
