// niah nightly: a run and its comparison with a baseline, in one exit code.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "harness/base/files.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/base/shell.h"
#include "harness/base/text.h"
#include "harness/cli/baselines.h"
#include "harness/cli/command.h"
#include "harness/cli/compared_page.h"
#include "harness/cli/comparison.h"
#include "harness/cli/print_report.h"
#include "harness/cli/run_with_engines.h"
#include "harness/config/sweep.h"
#include "harness/plan/plan.h"
#include "harness/plan/run_mark.h"
#include "reports/gate/history.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJunit = "regress.xml";
constexpr const char* kSummary = "regress.md";
constexpr const char* kJson = "regress.json";
constexpr const char* kHistory = "history.jsonl";
constexpr const char* kTrend = "trend.html";

struct NightlyArguments {
  std::string config, out, night;
  BaselineArguments baselines;
  std::string if_missing = "refuse";
  std::vector<std::string> overrides;
  GateArguments gate;
  GateFiles copies;  ///< what the gate says once more, where the user wants them
  bool quiet = false;

  /// The baseline that the first night may write.
  const std::string& baseline() const { return baselines.places.front(); }
};

GateFiles files_in(const fs::path& out) {
  return {(out / kJunit).string(), (out / kSummary).string(), (out / kHistory).string(),
          (out / kTrend).string(), (out / kJson).string()};
}

/// Where tonight's run is. Throws UsageError.
fs::path run_folder(const NightlyArguments& arguments) {
  const std::string name = arguments.night.empty() ? utc_now().substr(0, 10) : arguments.night;
  const bool is_name = fs::path(name).filename() == name && name != "." && name != "..";
  if (!is_name)
    throw UsageError(
        fmt::format("--night '{}': the name of a folder in --out was expected, such as 2026-11-28",
                    valid_utf8(name)));
  const fs::path run = fs::path(arguments.out) / name;
  for (const std::string& baseline : arguments.baselines.places)
    if (canonical_path(results_file(baseline)) == canonical_path(run / "results.json"))
      throw UsageError(fmt::format(
          "--baseline {}: that is tonight's run itself; give another --night", baseline));
  return run;
}

/// Prepares the folder of nights. Throws UsageError when it holds anything else.
void prepare_folder(const NightlyArguments& arguments) {
  const fs::path out = arguments.out;
  if (is_there(out / "plan.json"))
    throw UsageError(
        fmt::format("running a night: {} holds a run itself; --out is the folder of all nights, in "
                    "which each has a folder of its own",
                    arguments.out));
  require_own_folder(out, {kJunit, kHistory}, "running a night");
  ensure_writable_folder(out);
}

/// Throws UsageError when a baseline is one of the files that are written.
void refuse_shared_files(const NightlyArguments& arguments, const GateFiles& files) {
  const GateFiles& copies = arguments.copies;
  for (const std::string& baseline : arguments.baselines.places)
    for (const std::string& written : {files.junit, files.summary, files.json, files.history,
                                       files.trend, copies.junit, copies.summary, copies.json})
      if (!written.empty() && canonical_path(written) == canonical_path(results_file(baseline)))
        throw UsageError(
            fmt::format("--baseline {}: {} would be written there; keep the baseline elsewhere",
                        baseline, fs::path(written).filename().string()));
}

/// A night's run.
struct NightRun {
  reports::Report report;
  ExitCode code = ExitCode::kOk;  ///< what the run itself would exit with
};

/// Runs the sweep into the night's folder.
NightRun run_night(const NightlyArguments& arguments, const fs::path& run) {
  NightRun night;
  with_mark(run, [&] {
    const SweepConfig sweep = read_sweep(arguments.config, parse_overrides(arguments.overrides));
    const RunOptions options{run, arguments.quiet};
    night.report = run_with_engines(sweep, options);
    night.code = print_report(night.report, run);
    return night.code;
  });
  return night;
}

/// What to do where there is no baseline.
[[noreturn]] void refuse_without_baseline(const NightlyArguments& arguments, const fs::path& run) {
  const fs::path target = arguments.baseline();
  const auto word = [](const fs::path& path) { return single_line(shell_quoted(path.string())); };
  throw DataError(fmt::format(
      "there is no baseline {} yet, so tonight's run was compared with nothing. Look at {}; if you "
      "trust it: mkdir -p {} && cp {} {} (or, at the first night, give --baseline-if-missing "
      "write)",
      single_line(target.string()), single_line((run / "report.html").string()),
      word(target.has_parent_path() ? target.parent_path() : "."), word(run / "results.json"),
      word(target)));
}

/// Whether tonight's run is to become the first baseline. Throws DataError where there is none and
/// this is not allowed, or not the first night: a baseline that has vanished must not be replaced
/// by a run that may have lost recall.
bool is_first_baseline(const NightlyArguments& arguments, const fs::path& run,
                       const std::string& history) {
  if (is_there(results_file(arguments.baseline()))) return false;
  if (arguments.if_missing != "write") refuse_without_baseline(arguments, run);
  std::size_t compared = 0;
  if (is_there(history))
    for (const reports::GateRun& earlier : reports::read_history(history))
      compared += earlier.refused.empty() ? 1 : 0;
  if (compared > 0)
    throw DataError(
        fmt::format("the baseline {} is not there any more, although {} nights have been compared "
                    "with one ({}); put it back",
                    arguments.baseline(), compared, history));
  return true;
}

Comparison compare_night(const NightlyArguments& arguments, const std::string& history,
                         const fs::path& folder, const NightRun& night, bool is_first) {
  const std::string run = folder.string();
  BaselineArguments baselines = arguments.baselines;
  if (is_first) baselines.places.front() = run;
  Comparison comparison =
      compare_with_baselines(baselines, history, run, read_current(run), arguments.gate.options());
  if (is_first)
    comparison.verdicts.front().notes.push_back(
        "There was no baseline: this run was compared with itself, and is the first baseline if it "
        "passes.");
  // Cells that are new tonight are in no baseline, and the gate says nothing of them.
  if (comparison.exit_code() == ExitCode::kOk && night.code != ExitCode::kOk)
    throw DataError(fmt::format(
        "not everything could be measured: {} has cells without any measured sample, of which the "
        "baseline says nothing",
        run));
  draw_compared_page(folder, night.report, comparison);
  return comparison;
}

ExitCode run_nightly(const NightlyArguments& arguments) {
  const GateFiles files = files_in(arguments.out);
  refuse_shared_files(arguments, files);
  prepare_folder(arguments);
  fs::path run;  // empty until it is known to be a run's
  bool is_first = false;
  const auto compare = [&] {
    run = run_folder(arguments);
    const NightRun night = run_night(arguments, run);
    is_first = is_first_baseline(arguments, run, files.history);
    return compare_night(arguments, files.history, run, night, is_first);
  };
  const Comparison comparison = compared_or_refused(
      {files, arguments.copies}, compare,
      [&](const std::string& reason) { return draw_refused_page(run, reason); });
  const ExitCode code = comparison.exit_code();
  if (is_first && code == ExitCode::kOk) replace_baseline(arguments.baseline(), run.string());
  write_verdict(files, comparison);
  write_verdict_files(arguments.copies, comparison);
  say("Summary: {}\nAll nights: {}\n", single_line(files.summary), single_line(files.trend));
  return code;
}

}  // namespace

void add_nightly_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<NightlyArguments>();
  CLI::App* command = add_command(
      program, "nightly",
      "Run a sweep, compare it with a baseline, and write what was found. Exit 0: nothing was "
      "lost; 1: recall was; 2: the config is wrong; 3: it was not measured; 4: too few samples to "
      "say",
      "niah nightly configs/nightly.yaml --baseline baseline/results.json --out nights");
  command->add_option("config", arguments->config, "The sweep (YAML)")
      ->type_name(kFileValue)
      ->required();
  add_baseline_options(*command, arguments->baselines);
  command
      ->add_option("--out", arguments->out,
                   "Folder of all nights: a folder for each run, and regress.xml, regress.md, "
                   "regress.json, history.jsonl and trend.html")
      ->type_name(kFolderValue)
      ->required();
  command
      ->add_option(
          "--night", arguments->night,
          "Name of tonight's folder in --out (default: the date, UTC); a second run on one "
          "day goes on in the same, which another checkpoint cannot")
      ->type_name("NAME");
  command
      ->add_option("--baseline-if-missing", arguments->if_missing,
                   "The first night, when there is no baseline: refuse, or write the run as the "
                   "baseline if it passes in comparison with itself")
      ->type_name("{refuse|write}")
      ->check(CLI::IsMember({"refuse", "write"}))
      ->capture_default_str();
  add_repeated(*command, "--set", arguments->overrides,
               "Change a key of the sweep: --set samples=20, --set models.0.base=FOLDER");
  add_gate_options(*command, arguments->gate);
  add_verdict_files(*command, arguments->copies);
  command->add_flag("--quiet", arguments->quiet, "Show no progress line");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_nightly(*arguments); }; });
}

}  // namespace niah
