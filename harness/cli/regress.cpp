// niah regress: did this checkpoint lose recall against a baseline?
#include <fmt/format.h>

#include <filesystem>

#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/cli/baselines.h"
#include "harness/cli/command.h"
#include "harness/cli/comparison.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

struct RegressArguments {
  BaselineArguments baselines;
  std::string current;
  GateArguments gate;
  GateFiles files;
  double max_age = 0;  // hours; 0: any
  bool update_baseline = false;
};

void update_baseline(const RegressArguments& arguments, const Comparison& comparison) {
  if (comparison.verdicts.front().is_mixed) {
    say("The baseline stays as it is: a server's answers do not take the place of a model's own, "
        "nor the other way round.\n");
    return;
  }
  if (comparison.exit_code() != ExitCode::kOk) {
    say("The baseline stays as it is: only a night that passes replaces it.\n");
    return;
  }
  replace_baseline(arguments.baselines.places.front(), arguments.current);
}

/// Throws UsageError when an output file is also an input or another output.
void refuse_shared_files(const RegressArguments& arguments) {
  struct Use {
    std::string option;
    fs::path file;
  };
  std::vector<Use> read, written;
  const auto add_read = [&](const char* option, const std::string& place) {
    read.push_back({option, results_file(place)});
    if (!is_folder(place)) return;
    for (const char* name : {"journal.jsonl", "plan.json"})
      read.push_back({option, fs::path(place) / name});
  };
  for (const std::string& place : arguments.baselines.places) add_read("--baseline", place);
  add_read("--current", arguments.current);
  for (const auto& [option, place] :
       {std::pair{"--junit", arguments.files.junit},
        std::pair{"--summary", arguments.files.summary},
        std::pair{"--history", arguments.files.history},
        std::pair{"--trend", arguments.files.trend}, std::pair{"--json", arguments.files.json}})
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

Comparison compare(const RegressArguments& arguments) {
  reports::Results current = read_current(arguments.current);
  if (arguments.max_age > 0) require_recent(current, arguments.max_age);
  return compare_with_baselines(arguments.baselines, arguments.files.history, arguments.current,
                                std::move(current), arguments.gate.options());
}

ExitCode run_regress(const RegressArguments& arguments) {
  refuse_shared_files(arguments);
  if (arguments.update_baseline && arguments.baselines.places.size() > 1)
    throw UsageError(fmt::format(
        "--update-baseline: {} baselines are given, and only one can be replaced by this run",
        arguments.baselines.places.size()));
  const Comparison comparison =
      compared_or_refused({arguments.files}, [&] { return compare(arguments); });
  write_verdict(arguments.files, comparison);
  if (arguments.update_baseline) update_baseline(arguments, comparison);
  return comparison.exit_code();
}

}  // namespace

void add_regress_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<RegressArguments>();
  CLI::App* command = add_command(
      program, "regress",
      "Did a run lose recall against a baseline? Exit 0: no; 1: yes; 3: it was not measured; 4: "
      "too few samples to say",
      "niah regress --baseline baseline/results.json --current runs/tonight --junit regress.xml");
  auto* last = add_baseline_options(*command, arguments->baselines);
  command
      ->add_option("--current", arguments->current, "The run to judge: its folder or results.json")
      ->type_name(kPathValue)
      ->required();
  add_gate_options(*command, arguments->gate);
  add_number(*command, "--max-age", arguments->max_age, {0, 100'000},
             "Refuse a run that ended more than so many hours ago: an earlier night's (0: never)")
      ->type_name("HOURS");
  add_verdict_files(*command, arguments->files);
  auto* history = command
                      ->add_option("--history", arguments->files.history,
                                   "Add this night to a file of nights (JSON lines)")
                      ->type_name(kFileValue);
  last->needs(history);
  command
      ->add_option("--trend", arguments->files.trend,
                   "Draw the nights of --history as a page (HTML)")
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
