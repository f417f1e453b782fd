#include "harness/cli/comparison.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <ctime>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

#include "harness/base/files.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/base/progress.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "harness/plan/plan.h"
#include "harness/plan/run_mark.h"
#include "reports/export/results_json.h"
#include "reports/gate/evidence.h"
#include "reports/gate/history.h"
#include "reports/gate/junit.h"
#include "reports/gate/verdict_json.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

reports::Results read_side(const std::string& option, const std::string& place,
                           const std::string& hint) {
  if (!is_there(place))
    throw DataError(
        fmt::format("{} {}: there is no such file or run folder{}", option, place, hint));
  if (is_there(fs::path(place) / kHaystacksFile))
    throw DataError(fmt::format(
        "{} {}: it holds a run for each of several haystacks, which are compared one by one; give "
        "one of its folders",
        option, place));
  const fs::path file = results_file(place);
  if (!is_there(file))
    throw DataError(
        fmt::format("{} {}: the run has no results.json, so it did not end; run the same "
                    "`niah run` again, or draw what there is with `niah report {}`",
                    option, place, place));
  reports::Results results = reports::read_results(file);
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

/// The run folder that a place names, or that has the results.json which it names; nullopt for a
/// file of another name, which is a copy: what stands next to it is not of its run.
std::optional<fs::path> run_folder_of(const std::string& place) {
  const fs::path path = place;
  if (is_folder(path)) return path;
  if (path.filename() != "results.json") return std::nullopt;
  return path.parent_path();
}

std::optional<LastRun> last_run_of(const std::string& place) {
  const auto folder = run_folder_of(place);
  return folder ? read_last_run(*folder) : std::nullopt;
}

/// Throws DataError when the last run in the folder of `place` did not end well.
void refuse_unfinished(const std::string& place) {
  const auto last = last_run_of(place);
  if (!last || last->ended_well()) return;
  throw DataError(fmt::format(
      "--current {}: the last run in it, {}. What it holds is of an earlier run, or not whole: run "
      "the same `niah run` again until it ends (to compare it all the same, copy its results.json "
      "elsewhere)",
      place, last->trouble()));
}

/// Throws DataError when the results are not those of the sweep that the last run ended with.
void refuse_other_config(const std::string& place, const reports::Results& results) {
  const auto last = last_run_of(place);
  if (!last || last->config_sha256 == sha256_hex(results.run.config_json)) return;
  throw DataError(
      fmt::format("--current {}: its results.json is of another config than the last run in it, "
                  "which ended {}; draw it again with `niah report`",
                  place, last->ended));
}

/// Removes what an earlier night left. A link stays, and what it leads to is removed.
void remove_output(const std::string& path) {
  std::error_code ignored;
  if (path.empty() || is_device(path) || is_folder(path)) return;
  fs::remove(resolve_links(path), ignored);
}

void write_trend(const GateFiles& files, const std::string& title) {
  if (!files.trend.empty())
    write_file(files.trend, reports::trend_page(reports::read_history(files.history), title));
}

/// A place as seen from a file's folder: the two can be moved together.
std::string place_beside(const fs::path& file, const fs::path& place) {
  const fs::path folder = canonical_path(file).parent_path();
  return valid_utf8(canonical_path(place).lexically_proximate(folder).string());
}

ExitCode code_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return known.code();
  } catch (...) {
    return ExitCode::kNotMeasured;
  }
}

}  // namespace

fs::path results_file(const std::string& place) {
  return is_folder(place) ? fs::path(place) / "results.json" : fs::path(place);
}

reports::Results read_baseline(const std::string& place) {
  return read_side("--baseline", place,
                   "; a first baseline is the results.json of a run that you trust, copied there");
}

reports::Results read_current(const std::string& place) {
  refuse_unfinished(place);
  reports::Results results = read_side("--current", place, "");
  refuse_other_config(place, results);
  return results;
}

void require_recent(const reports::Results& current, double hours) {
  const auto oldest = std::time(nullptr) - static_cast<std::time_t>(std::llround(hours * 3600));
  const std::string limit = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(oldest));
  const std::string& ended = current.run.finished;
  if (ended.size() == limit.size() && ended >= limit) return;
  throw DataError(
      fmt::format("--max-age {:g}: the run ended {}, a run that ended after {} was expected; it is "
                  "an earlier night's, so tonight's `niah run` was not run or did not end",
                  hours, ended.empty() ? "at a time that is not known" : ended, limit));
}

bool is_device(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status);
}

void remove_outputs(const GateFiles& files) {
  remove_output(files.junit);
  remove_output(files.summary);
  remove_output(files.json);
}

Comparison compared_or_refused(const std::vector<GateFiles>& all,
                               const std::function<Comparison()>& compare,
                               const DrawRefused& draw_page) {
  for (const GateFiles& files : all) remove_outputs(files);
  try {
    return compare();
  } catch (...) {
    const std::exception_ptr error = std::current_exception();
    Refusal refusal{code_of(error), words_of(error)};
    if (draw_page) refusal.page = draw_page(refusal.reason);
    for (const GateFiles& files : all) write_refusal(files, refusal);
    throw;
  }
}

void write_refusal(const GateFiles& files, const Refusal& refusal) {
  const auto attempt = [](const std::string& file, const std::function<void()>& write) {
    if (file.empty()) return;
    try {
      write();
    } catch (const Error& error) {  // the refusal itself is what must be said
      print_warning(error.what());
    }
  };
  attempt(files.junit, [&] {
    write_file(files.junit, reports::junit_of_refusal(refusal.reason, "niah", refusal.page));
  });
  attempt(files.summary, [&] {
    write_file(files.summary,
               reports::refusal_markdown(refusal.reason, refusal.page, files.summary));
  });
  attempt(files.json, [&] {
    write_file(files.json, reports::json_of_refusal(refusal.reason, refusal.code, refusal.page));
  });
  attempt(files.history, [&] {
    reports::append_night(files.history,
                          reports::make_refused_night(utc_now(), refusal.code, refusal.reason));
    write_trend(files, "Recall, night after night");
  });
}

reports::Verdict compare_places(const std::string& baseline_place, const reports::Results& baseline,
                                const std::string& current_place, const reports::Results& current,
                                const reports::GateOptions& options) {
  reports::Verdict verdict = reports::gate(baseline, current, options);
  verdict.baseline.place = valid_utf8(baseline_place);
  verdict.current.place = valid_utf8(current_place);
  const auto journal = [](const std::string& place) {
    const auto folder = run_folder_of(place);
    return folder ? *folder / "journal.jsonl" : fs::path();
  };
  reports::add_evidence(journal(baseline_place), journal(current_place), verdict);
  return verdict;
}

void write_verdict_files(const GateFiles& files, const Comparison& comparison) {
  const auto& [current, baselines, verdicts] = comparison;
  if (!files.junit.empty()) write_file(files.junit, reports::junit_xml(verdicts, current.run.name));
  if (!files.summary.empty())
    write_file(files.summary, reports::gate_markdown(verdicts, files.summary));
  if (!files.json.empty()) write_file(files.json, reports::verdict_json(verdicts));
}

void write_verdict(const GateFiles& files, const Comparison& comparison) {
  const auto& [current, baselines, verdicts] = comparison;
  write_stdout(laid_out(reports::gate_lines(verdicts), STDOUT_FILENO));
  write_verdict_files(files, comparison);
  if (files.history.empty()) return;
  reports::GateRun night = reports::make_night(verdicts, current);
  night.run = place_beside(files.history, verdicts.front().current.place);
  reports::append_night(files.history, night);
  write_trend(files, fmt::format("{}, night after night", current.run.name));
}

void replace_baseline(const std::string& baseline, const std::string& current) {
  const auto folder = run_folder_of(baseline);
  if (folder && is_there(*folder / "journal.jsonl")) {
    say("The baseline stays as it is: {} is a run, and reports are drawn again from its journal, "
        "which would stay the old one. Copy its results.json to a place of its own and give that "
        "as --baseline.\n",
        single_line(baseline));
    return;
  }
  const fs::path target = results_file(baseline);
  if (target.has_parent_path()) ensure_writable_folder(target.parent_path());
  write_file(target, read_file(results_file(current), "updating the baseline"));
  say("The baseline is now this run: {}\n", single_line(target.string()));
}

}  // namespace niah
