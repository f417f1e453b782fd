#include "harness/cli/baselines.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <utility>

#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/base/text.h"
#include "reports/format.h"
#include "reports/gate/history.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostNights = 100;

/// The last `count` nights of a history that passed, the last one first, with `run` as a path from
/// here. Of a run that was compared more than once, the last time counts; `current` is left out.
std::vector<reports::GateRun> last_passed(const fs::path& history, std::int64_t count,
                                          const std::string& current) {
  std::vector<reports::GateRun> passed;
  if (count == 0 || !is_there(history)) return passed;
  const std::vector<reports::GateRun> nights = reports::read_history(history);
  std::set<fs::path> seen = {canonical_path(results_file(current))};
  for (auto night = nights.rbegin(); night != nights.rend() && std::ssize(passed) < count;
       ++night) {
    if (night->run.empty()) continue;
    const std::string run = (history.parent_path() / night->run).lexically_normal().string();
    if (!seen.insert(canonical_path(results_file(run))).second || night->exit_code != 0) continue;
    passed.push_back(*night);
    passed.back().run = run;
  }
  return passed;
}

reports::Results read_night(const reports::GateRun& night) {
  const auto refuse = [&](const std::string& found) {
    return DataError(fmt::format(
        "--baseline-last: the night that ended {} passed, but {}; put its run back, or compare "
        "with fewer nights",
        night.time, found));
  };
  if (!is_there(night.run)) throw refuse(fmt::format("there is no {} any more", night.run));
  reports::Results results = read_baseline(night.run);
  if (results.run.finished != night.time)
    throw refuse(fmt::format("{} holds a run that ended {}", night.run, results.run.finished));
  return results;
}

std::string too_few_note(std::int64_t asked, std::size_t found) {
  return fmt::format("--baseline-last {}: the history has {} so far that passed.", asked,
                     reports::counted(static_cast<std::int64_t>(found), "earlier night"));
}

}  // namespace

CLI::Option* add_baseline_option(CLI::App& command, std::vector<std::string>& places) {
  return add_repeated(command, "--baseline", places,
                      "What to compare with: a results.json, or a run folder; may be given several "
                      "times, and recall is lost if it is against one of them")
      ->type_name(kPathValue);
}

CLI::Option* add_baseline_options(CLI::App& command, BaselineArguments& arguments) {
  add_baseline_option(command, arguments.places)->required();
  return add_integer(
      command, "--baseline-last", arguments.last, {0, kMostNights},
      "Compare also with the last N nights that passed, by the history: what is lost "
      "since last week, not only since the release");
}

Comparison compare_with_baselines(const BaselineArguments& arguments, const std::string& history,
                                  const std::string& place, reports::Results current,
                                  const reports::GateOptions& options) {
  const std::vector<reports::GateRun> nights = last_passed(history, arguments.last, place);
  const std::size_t count = arguments.places.size() + nights.size();
  reports::GateOptions shared = options;
  shared.comparisons = static_cast<std::int64_t>(count);
  Comparison all{.current = std::move(current)};
  const auto compare = [&](const std::string& baseline_place, reports::Results baseline) {
    try {
      all.verdicts.push_back(compare_places(baseline_place, baseline, place, all.current, shared));
      all.baselines.push_back(std::move(baseline));
    } catch (const DataError& error) {
      if (count == 1) throw;
      throw DataError(fmt::format("--baseline {}: {}", baseline_place, error.what()));
    }
  };
  for (const std::string& baseline : arguments.places) compare(baseline, read_baseline(baseline));
  for (const reports::GateRun& night : nights) compare(night.run, read_night(night));
  if (std::ssize(nights) < arguments.last)
    all.verdicts.front().notes.push_back(too_few_note(arguments.last, nights.size()));
  return all;
}

}  // namespace niah
