// niah regress: did this checkpoint lose recall against a baseline?
#include <fmt/format.h>

#include <filesystem>

#include "harness/base/files.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/base/text.h"
#include "harness/cli/command.h"
#include "reports/export/results_json.h"
#include "reports/gate/gate.h"
#include "reports/gate/history.h"
#include "reports/gate/junit.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

struct RegressArguments {
  std::string baseline, current, junit, summary, history, trend, served_as;
  double max_drop = 5, alpha = 0.05, detectable = 20;  // points, probability, points
  bool update_baseline = false, allow_fewer_samples = false;
};

reports::GateOptions gate_options(const RegressArguments& arguments) {
  reports::GateOptions options;
  options.max_drop = arguments.max_drop / 100;
  options.detectable = arguments.detectable / 100;
  options.allow_fewer_samples = arguments.allow_fewer_samples;
  options.alpha = arguments.alpha;
  options.served_as = arguments.served_as;
  return options;
}

/// The results.json of a run folder, or the file itself.
fs::path results_file(const std::string& place) {
  return is_folder(place) ? fs::path(place) / "results.json" : fs::path(place);
}

/// Reads a results.json, or that of a run folder, which must have been drawn from all records of
/// the journal next to it. Throws DataError.
reports::Results read_side(const std::string& option, const std::string& place) {
  if (!is_there(place))
    throw DataError(fmt::format(
        "{} {}: there is no such file or run folder{}", option, place,
        option == "--baseline"
            ? "; a first baseline is the results.json of a run that you trust, copied there"
            : ""));
  const fs::path file = results_file(place);
  if (!is_there(file))
    throw DataError(
        fmt::format("{} {}: the run has no results.json, so it did not end; run the same "
                    "`niah run` again, or draw what there is with `niah report {}`",
                    option, place, place));
  const reports::Results results = reports::read_results(file);
  const fs::path journal = fs::path(place) / "journal.jsonl";
  if (is_there(journal) && !reports::is_drawn_from(results, journal))
    throw DataError(fmt::format(
        "{} {}: its journal does not hold the records that its results.json was drawn "
        "from{}, so the run went on and did not end; run the same `niah run` again, or "
        "`niah report {}`",
        option, place,
        results.journal_records ? fmt::format(" ({} then)", *results.journal_records) : "", place));
  return results;
}

void update_baseline(const RegressArguments& arguments, const reports::Verdict& verdict) {
  if (verdict.is_mixed) {
    say("The baseline stays as it is: a server's answers do not take the place of a model's own, "
        "nor the other way round.\n");
    return;
  }
  if (verdict.exit_code() != ExitCode::kOk) {
    say("The baseline stays as it is: only a night that passes replaces it.\n");
    return;
  }
  const fs::path current = results_file(arguments.current);
  const fs::path baseline = results_file(arguments.baseline);
  write_file(baseline, read_file(current, "updating the baseline"));
  say("The baseline is now this run: {}\n", single_line(baseline.string()));
}

/// Whether `path` is written to instead of being replaced: a device or a pipe, such as /dev/stdout.
bool is_device(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status);
}

/// Throws UsageError when an output file is also an input or another output.
void refuse_shared_files(const RegressArguments& arguments) {
  struct Use {
    std::string option;
    fs::path file;
  };
  std::vector<Use> read, written;
  for (const auto& [option, place] :
       {std::pair{"--baseline", arguments.baseline}, std::pair{"--current", arguments.current}}) {
    read.push_back({option, results_file(place)});
    if (!is_folder(place)) continue;
    for (const char* name : {"journal.jsonl", "plan.json"})
      read.push_back({option, fs::path(place) / name});
  }
  for (const auto& [option, place] :
       {std::pair{"--junit", arguments.junit}, std::pair{"--summary", arguments.summary},
        std::pair{"--history", arguments.history}, std::pair{"--trend", arguments.trend}})
    if (!place.empty()) written.push_back({option, place});
  for (std::size_t i = 0; i < written.size(); ++i) {
    std::vector<Use> others = read;
    others.insert(others.end(), written.begin(), written.begin() + static_cast<std::ptrdiff_t>(i));
    for (const Use& other : others)
      if (canonical_path(other.file) == canonical_path(written[i].file) &&
          !is_device(written[i].file))
        throw UsageError(fmt::format("{} would overwrite {}, which is of {}; give another file",
                                     written[i].option, written[i].file.string(), other.option));
  }
}

ExitCode run_regress(const RegressArguments& arguments) {
  refuse_shared_files(arguments);
  const reports::GateOptions options = gate_options(arguments);
  const reports::Results baseline = read_side("--baseline", arguments.baseline);
  const reports::Results current = read_side("--current", arguments.current);
  const reports::Verdict verdict = reports::gate(baseline, current, options);
  const ExitCode code = verdict.exit_code();
  write_stdout(reports::gate_lines(verdict));
  if (!arguments.junit.empty())
    write_file(arguments.junit, reports::junit_xml(verdict, current.run.name));
  if (!arguments.summary.empty()) write_file(arguments.summary, reports::gate_markdown(verdict));
  if (!arguments.history.empty()) {
    reports::append_night(arguments.history, reports::make_night(verdict, current));
    if (!arguments.trend.empty())
      write_file(arguments.trend,
                 reports::trend_page(reports::read_history(arguments.history),
                                     fmt::format("{}, night after night", current.run.name)));
  }
  if (arguments.update_baseline) update_baseline(arguments, verdict);
  return code;
}

}  // namespace

void add_regress_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<RegressArguments>();
  CLI::App* command = add_command(
      program, "regress",
      "Did a run lose recall against a baseline? Exit 0: no; 1: yes; 3: it was not measured; 4: "
      "too few samples to say",
      "niah regress --baseline baseline/results.json --current runs/tonight --junit regress.xml");
  command
      ->add_option("--baseline", arguments->baseline,
                   "What to compare with: a results.json, or a run folder")
      ->type_name(kPathValue)
      ->required();
  command
      ->add_option("--current", arguments->current, "The run to judge: its folder or results.json")
      ->type_name(kPathValue)
      ->required();
  add_number(*command, "--max-drop", arguments->max_drop, {0, 100},
             "A drop of so many points or fewer never fails")
      ->type_name("POINTS");
  add_number(*command, "--alpha", arguments->alpha, {0, 1, /*open_low=*/true, /*open_high=*/true},
             "Chance of a false alarm, over all cells and depth bands together");
  add_number(*command, "--detectable", arguments->detectable, {0, 100},
             "A cell that would not show a drop of so many points four times in five, by all of "
             "the gate's rules, is inconclusive")
      ->type_name("POINTS");
  command->add_flag("--allow-fewer-samples", arguments->allow_fewer_samples,
                    "The run may have only some of the baseline's samples");
  command
      ->add_option("--served-as", arguments->served_as,
                   "The baseline's variant whose checkpoint this run's server has, where its "
                   "config does not say it with `of:` (default: its base)")
      ->type_name("NAME");
  command->add_option("--junit", arguments->junit, "Write JUnit XML: a test case a cell and band")
      ->type_name(kFileValue);
  command->add_option("--summary", arguments->summary, "Write a summary (Markdown), with all cells")
      ->type_name(kFileValue);
  auto* history = command
                      ->add_option("--history", arguments->history,
                                   "Add this night to a file of nights (JSON lines)")
                      ->type_name(kFileValue);
  command->add_option("--trend", arguments->trend, "Draw the nights of --history as a page (HTML)")
      ->type_name(kFileValue)
      ->needs(history);
  command->add_flag(
      "--update-baseline", arguments->update_baseline,
      "Replace the baseline by this run if it passes (at a release, not every night: a "
      "slow decay would pass night after night)");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_regress(*arguments); }; });
}

}  // namespace niah
