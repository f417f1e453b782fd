// niah report: reports of what was run before.
#include "reports/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "harness/base/output.h"
#include "harness/base/progress.h"
#include "harness/cli/baselines.h"
#include "harness/cli/command.h"
#include "harness/cli/compared_page.h"
#include "harness/cli/comparison.h"
#include "harness/cli/print_report.h"
#include "harness/plan/run_folder.h"
#include "harness/plan/run_mark.h"

namespace niah {
namespace {

struct ReportArguments {
  std::vector<std::string> runs;
  std::vector<std::string> baselines;
  GateArguments gate;
  bool allow_missing = false;
  bool prompts = false;
};

/// The one that says more of a lost recall: what `niah regress` would exit with comes first.
ExitCode graver(ExitCode a, ExitCode b) {
  constexpr std::array kOrder = {ExitCode::kOk, ExitCode::kInconclusive, ExitCode::kNotMeasured,
                                 ExitCode::kUsage, ExitCode::kCheckFailed};
  const auto place = [&](ExitCode code) { return std::find(kOrder.begin(), kOrder.end(), code); };
  return place(a) < place(b) ? b : a;
}

/// Compares the run with the baselines: page and text begin with what came of it. Returns what
/// `niah regress` would exit with.
ExitCode compare(const ReportArguments& arguments, const std::string& run,
                 const reports::Report& report) {
  try {
    Comparison comparison = compare_with_baselines({.places = arguments.baselines}, "", run,
                                                   read_current(run), arguments.gate.options());
    draw_compared_page(run, report, comparison);
    say_text(reports::gate_report(comparison.verdicts) + "\n");
    return comparison.exit_code();
  } catch (const Error& error) {
    const std::string reason = words_of(std::current_exception());
    reports::write_page(report, run, reports::refused_sections(reason));
    say("Not compared with the baseline: {}\n\n", reason);
    return error.code();
  }
}

/// Says that a run did not end well. Its cells may have fewer samples than they were to have, which
/// of adaptive sampling no count shows.
ExitCode check_end(const std::string& run) {
  const auto last = read_last_run(run);
  if (!last || last->ended_well()) return ExitCode::kOk;
  print_warning(fmt::format("{}: its last run, {}", run, last->trouble()));
  return ExitCode::kNotMeasured;
}

ExitCode run_report(const ReportArguments& arguments) {
  arguments.gate.options();  // a wrong one is refused before anything is drawn
  ExitCode code = ExitCode::kOk;
  for (const std::string& run : arguments.runs) {
    const reports::Report report = arguments.prompts ? draw_with_prompts(run) : draw_again(run);
    if (!arguments.baselines.empty()) code = graver(code, compare(arguments, run, report));
    code = graver(code, print_whole_report(report, run, arguments.allow_missing));
    const ExitCode end = check_end(run);
    if (!arguments.allow_missing) code = graver(code, end);
  }
  return code;
}

}  // namespace

void add_report_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command = add_command(
      program, "report",
      "Draw the reports of runs again from their journals. With --baseline, page and text begin "
      "with the gate's verdict, and the exit code is that of `niah regress`",
      "niah report runs/reproduce\n"
      "  niah report runs/tonight --baseline baseline/results.json");
  command->add_option("runs", arguments->runs, "Run folders, one or more")
      ->type_name(kFolderValue)
      ->required();
  add_allow_missing(*command, arguments->allow_missing);
  command->add_flag("--prompts", arguments->prompts,
                    "Put every sample's prompt into lm_eval/, made again from the plan");
  CLI::Option* baseline = add_baseline_option(*command, arguments->baselines);
  const std::size_t others = command->get_options().size();
  add_gate_options(*command, arguments->gate);
  const std::vector<CLI::Option*> options = command->get_options({});
  for (std::size_t i = others; i < options.size(); ++i) options[i]->needs(baseline);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_report(*arguments); }; });
}

}  // namespace niah
