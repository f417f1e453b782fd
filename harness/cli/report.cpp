// niah report, niah merge: reports of what was run before.
#include <algorithm>
#include <filesystem>

#include "harness/base/output.h"
#include "harness/cli/command.h"
#include "harness/cli/print_report.h"
#include "harness/plan/merge.h"
#include "harness/plan/run_folder.h"
#include "reports/report.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

/// Prints the report of what others ran: also whether all is there that the plan asks. The shard
/// of a sweep is not expected to have the others' samples.
ExitCode print_whole_report(const reports::Report& report, const fs::path& out,
                            bool allow_missing) {
  const ExitCode code = print_report(report, out);
  if (allow_missing || report.results.run.shard) return code;
  const std::int64_t missing = reports::count_missing(reports::missing_samples(report.results));
  if (missing == 0) return code;
  say("niah: {} samples that the plan asks for have no record; --allow-missing takes the run "
      "as it is\n",
      missing);
  return ExitCode::kNotMeasured;
}

// -------------------------------------------------------------------------------------------
// merge

struct MergeArguments {
  std::vector<std::string> runs;
  std::string out;
  bool allow_missing = false;
};

ExitCode run_merge(const MergeArguments& arguments) {
  return print_whole_report(
      merge_runs({arguments.runs.begin(), arguments.runs.end()}, arguments.out), arguments.out,
      arguments.allow_missing);
}

// -------------------------------------------------------------------------------------------
// report

struct ReportArguments {
  std::vector<std::string> runs;
  bool allow_missing = false;
};

/// Exit 0 for reports of runs that are not whole.
void add_allow_missing(CLI::App& command, bool& allow_missing) {
  command.add_flag("--allow-missing", allow_missing,
                   "Samples that the plan asks for may have no record (they are named anyway)");
}

ExitCode run_report(const ReportArguments& arguments) {
  ExitCode code = ExitCode::kOk;
  for (const std::string& run : arguments.runs)
    code = std::max(code, print_whole_report(draw_again(run), run, arguments.allow_missing));
  return code;
}

}  // namespace

void add_merge_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<MergeArguments>();
  CLI::App* command =
      add_command(program, "merge", "Put the shards of a sweep together into one run",
                  "niah run sweep.yaml --shard 1/2 --out runs/a\n"
                  "  niah run sweep.yaml --shard 2/2 --out runs/b\n"
                  "  niah merge runs/a runs/b --out runs/whole");
  command->add_option("runs", arguments->runs, "Run folders")->required();
  command
      ->add_option("--out", arguments->out,
                   "Folder of the whole run: a new one, or an earlier merge of the same runs")
      ->required();
  add_allow_missing(*command, arguments->allow_missing);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_merge(*arguments); }; });
}

void add_report_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command =
      add_command(program, "report", "Draw the reports of runs again from their journals",
                  "niah report runs/reproduce");
  command->add_option("runs", arguments->runs, "Run folders")->required();
  add_allow_missing(*command, arguments->allow_missing);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_report(*arguments); }; });
}

}  // namespace niah
