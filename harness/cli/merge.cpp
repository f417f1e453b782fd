// niah merge: the shards of a sweep, put together.
#include "harness/plan/merge.h"

#include <fmt/format.h>

#include "harness/base/progress.h"
#include "harness/cli/command.h"
#include "harness/cli/print_report.h"
#include "harness/plan/run_mark.h"

namespace niah {
namespace {

struct MergeArguments {
  std::vector<std::string> runs;
  std::string out;
  bool allow_missing = false;
};

ExitCode run_merge(const MergeArguments& arguments) {
  const reports::Report report =
      merge_runs({arguments.runs.begin(), arguments.runs.end()}, arguments.out);
  if (arguments.allow_missing) remove_mark(arguments.out);
  const auto last = read_last_run(arguments.out);
  if (last)
    print_warning(fmt::format("`niah regress` will refuse {}: {}", arguments.out, last->error));
  const ExitCode code = print_whole_report(report, arguments.out, arguments.allow_missing);
  return last && code == ExitCode::kOk ? ExitCode::kNotMeasured : code;
}

}  // namespace

void add_merge_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<MergeArguments>();
  CLI::App* command =
      add_command(program, "merge", "Put the shards of a sweep together into one run",
                  "niah run sweep.yaml --shard 1/2 --out runs/a\n"
                  "  niah run sweep.yaml --shard 2/2 --out runs/b\n"
                  "  niah merge runs/a runs/b --out runs/whole");
  command->add_option("runs", arguments->runs, "Run folders of the shards")
      ->type_name(kFolderValue)
      ->required();
  command
      ->add_option("--out", arguments->out,
                   "Folder of the whole run: a new one, or an earlier merge of the same runs")
      ->type_name(kFolderValue)
      ->required();
  add_allow_missing(*command, arguments->allow_missing);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_merge(*arguments); }; });
}

}  // namespace niah
