// niah report: reports of what was run before.
#include "reports/report.h"

#include <algorithm>

#include "harness/cli/command.h"
#include "harness/cli/print_report.h"
#include "harness/plan/run_folder.h"

namespace niah {
namespace {

struct ReportArguments {
  std::vector<std::string> runs;
  bool allow_missing = false;
  bool prompts = false;
};

ExitCode run_report(const ReportArguments& arguments) {
  ExitCode code = ExitCode::kOk;
  for (const std::string& run : arguments.runs) {
    const reports::Report report = arguments.prompts ? draw_with_prompts(run) : draw_again(run);
    code = std::max(code, print_whole_report(report, run, arguments.allow_missing));
  }
  return code;
}

}  // namespace

void add_report_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command =
      add_command(program, "report", "Draw the reports of runs again from their journals",
                  "niah report runs/reproduce");
  command->add_option("runs", arguments->runs, "Run folders, one or more")
      ->type_name(kFolderValue)
      ->required();
  add_allow_missing(*command, arguments->allow_missing);
  command->add_flag("--prompts", arguments->prompts,
                    "Put every sample's prompt into lm_eval/, made again from the plan");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_report(*arguments); }; });
}

}  // namespace niah
