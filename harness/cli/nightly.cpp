// niah nightly: a run and its comparison with a baseline, in one exit code.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "harness/base/files.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/base/text.h"
#include "harness/cli/command.h"
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
  std::string config, baseline, out, night;
  std::string if_missing = "refuse";
  std::vector<std::string> overrides;
  GateArguments gate;
  GateFiles copies;  ///< what the gate says once more, where the user wants them
  bool quiet = false;
};

/// One night: where its run is, and where its files are.
struct Night {
  fs::path run;
  GateFiles files;
};

GateFiles files_in(const fs::path& out) {
  return {(out / kJunit).string(), (out / kSummary).string(), (out / kHistory).string(),
          (out / kTrend).string(), (out / kJson).string()};
}

Night night_of(const NightlyArguments& arguments) {
  const fs::path out = arguments.out;
  const std::string name = arguments.night.empty() ? utc_now().substr(0, 10) : arguments.night;
  const bool is_name = fs::path(name).filename() == name && name != "." && name != "..";
  if (!is_name)
    throw UsageError(
        fmt::format("--night '{}': the name of a folder in --out was expected, such as 2026-11-28",
                    valid_utf8(name)));
  return {out / name, files_in(out)};
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

/// Throws UsageError when the baseline is one of the files that are written.
void refuse_shared_files(const NightlyArguments& arguments, const Night& night) {
  const fs::path baseline = canonical_path(results_file(arguments.baseline));
  for (const fs::path& written :
       {fs::path(night.files.junit), fs::path(night.files.summary), fs::path(night.files.history),
        fs::path(night.files.trend), fs::path(arguments.copies.junit), fs::path(night.files.json),
        fs::path(arguments.copies.summary), fs::path(arguments.copies.json),
        night.run / "results.json"})
    if (!written.empty() && canonical_path(written) == baseline)
      throw UsageError(
          fmt::format("--baseline {}: {} would be written there; keep the baseline "
                      "elsewhere",
                      arguments.baseline, written.filename().string()));
}

/// Runs the sweep into the night's folder. Returns what the run itself would exit with.
ExitCode run_night(const NightlyArguments& arguments, const fs::path& run) {
  return with_mark(run, [&] {
    const SweepConfig sweep = read_sweep(arguments.config, parse_overrides(arguments.overrides));
    const RunOptions options{run, arguments.quiet};
    return print_report(run_with_engines(sweep, options), run);
  });
}

/// What to do where there is no baseline.
[[noreturn]] void refuse_without_baseline(const NightlyArguments& arguments, const fs::path& run) {
  const fs::path target = arguments.baseline;
  throw DataError(fmt::format(
      "there is no baseline {0} yet, so tonight's run was compared with nothing. Look at {1}; if "
      "you trust it: mkdir -p '{2}' && cp '{3}' '{0}' (or, at the first night, give "
      "--baseline-if-missing write)",
      single_line(target.string()), single_line((run / "report.html").string()),
      single_line(target.has_parent_path() ? target.parent_path().string() : "."),
      single_line((run / "results.json").string())));
}

/// Whether tonight's run is to become the first baseline. Throws DataError where there is none and
/// this is not allowed, or not the first night: a baseline that has vanished must not be replaced
/// by a run that may have lost recall.
bool is_first_baseline(const NightlyArguments& arguments, const Night& night) {
  if (is_there(results_file(arguments.baseline))) return false;
  if (arguments.if_missing != "write") refuse_without_baseline(arguments, night.run);
  std::size_t compared = 0;
  if (is_there(night.files.history))
    for (const reports::GateRun& earlier : reports::read_history(night.files.history))
      compared += earlier.refused.empty() ? 1 : 0;
  if (compared > 0)
    throw DataError(
        fmt::format("the baseline {} is not there any more, although {} nights have been compared "
                    "with one ({}); put it back",
                    arguments.baseline, compared, night.files.history));
  return true;
}

Comparison compare_night(const NightlyArguments& arguments, const Night& night, ExitCode ran,
                         bool is_first) {
  reports::Results current = read_current(night.run.string());
  const reports::Results baseline = is_first ? current : read_baseline(arguments.baseline);
  const std::string run = night.run.string();
  Comparison comparison = compare_places(is_first ? run : arguments.baseline, baseline, run,
                                         std::move(current), arguments.gate.options());
  reports::Verdict& verdict = comparison.verdict;
  if (is_first)
    verdict.notes.push_back(
        "There was no baseline: this run was compared with itself, and is the first baseline if it "
        "passes.");
  // Cells that are new tonight are in no baseline, and the gate says nothing of them.
  if (verdict.exit_code() == ExitCode::kOk && ran != ExitCode::kOk)
    throw DataError(fmt::format(
        "not everything could be measured: {} has cells without any measured sample, of which the "
        "baseline says nothing",
        run));
  return comparison;
}

void copy_outputs(const GateFiles& from, const GateFiles& to) {
  const auto copy = [](const std::string& file, const std::string& copied) {
    if (!copied.empty()) write_file(copied, read_file(file, "copying what the gate says"));
  };
  copy(from.junit, to.junit);
  copy(from.summary, to.summary);
  copy(from.json, to.json);
}

ExitCode run_nightly(const NightlyArguments& arguments) {
  const Night night = night_of(arguments);
  refuse_shared_files(arguments, night);
  prepare_folder(arguments);
  remove_outputs(arguments.copies);
  bool is_first = false;
  std::optional<Comparison> comparison;
  try {
    comparison = compared_or_refused(night.files, [&] {
      const ExitCode ran = run_night(arguments, night.run);
      is_first = is_first_baseline(arguments, night);
      return compare_night(arguments, night, ran, is_first);
    });
  } catch (...) {
    copy_outputs(night.files, arguments.copies);
    throw;
  }
  const ExitCode code = comparison->verdict.exit_code();
  if (is_first && code == ExitCode::kOk) replace_baseline(arguments.baseline, night.run.string());
  write_verdict(night.files, *comparison);
  copy_outputs(night.files, arguments.copies);
  say("Summary: {}\nAll nights: {}\n", single_line(night.files.summary),
      single_line(night.files.trend));
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
  command
      ->add_option("--baseline", arguments->baseline,
                   "What to compare with: a results.json, or a run folder")
      ->type_name(kPathValue)
      ->required();
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
