#include "harness/plan/merge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <unordered_set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/pending_folder.h"
#include "harness/base/progress.h"
#include "harness/base/text.h"
#include "harness/plan/plan.h"
#include "reports/analysis/results.h"
#include "reports/diagnosis/page.h"
#include "reports/journal_reader.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

template <typename T>
void add_missing(std::vector<T>& into, const std::vector<T>& more) {
  for (const T& item : more)
    if (std::find(into.begin(), into.end(), item) == into.end()) into.push_back(item);
}

/// Throws UsageError, naming the differences, when two runs cannot be merged.
void refuse_unless_alike(const fs::path& first, const reports::RunInfo& all, const fs::path& run,
                         const reports::RunInfo& info) {
  const std::vector<std::string> differences = run_differences(all, info);
  if (!differences.empty())
    throw UsageError(fmt::format("merging: {} and {} are not runs of one sweep: {}", first.string(),
                                 run.string(), fmt::join(differences, "; ")));
}

/// Adds to `all` what `info` was computed with, where that differs, and a caveat that says so.
void add_arithmetic(reports::RunInfo& all, const reports::RunInfo& info) {
  for (const auto& difference : reports::arithmetic_differences(all, info)) {
    std::string& known =
        difference.name == "machine" ? all.machine : all.arithmetic[difference.name];
    const std::string both = reports::with_also(known, difference.second);
    if (both == known) continue;
    all.caveats.push_back(fmt::format(
        "Its parts were not computed alike: {}. The last bits of log-probabilities, and rarely an "
        "answer, depend on that.",
        difference.words()));
    known = both;
  }
  for (const auto& [name, value] : info.arithmetic) all.arithmetic.try_emplace(name, value);
}

/// Adds planned cells: each cell once, with the larger number of samples.
void add_planned(std::vector<reports::PlannedCell>& into,
                 const std::vector<reports::PlannedCell>& more) {
  for (const reports::PlannedCell& cell : more) {
    const auto known = std::find_if(into.begin(), into.end(), [&](const auto& other) {
      return other.kind == cell.kind && other.task == cell.task && other.length == cell.length;
    });
    if (known == into.end())
      into.push_back(cell);
    else
      known->samples = std::max(known->samples, cell.samples);
  }
}

/// Adds the origins of a run's records: the run, or the runs that it was merged from.
void add_origin(std::vector<std::string>& origins, const fs::path& run,
                const reports::RunInfo& info) {
  add_missing(origins, info.merged_from.empty() ? std::vector<std::string>{valid_utf8(run.string())}
                                                : info.merged_from);
}

/// Warns of shards that are not among the runs, if the runs' plans number their shards.
void warn_of_missing_shards(const std::vector<reports::RunInfo>& infos) {
  std::set<std::int64_t> numbers;
  const std::optional<reports::Shard> first = infos.front().shard;
  for (const reports::RunInfo& info : infos) {
    if (!first || !info.shard || info.shard->of != first->of) return;
    numbers.insert(info.shard->number);
  }
  std::vector<std::int64_t> missing;
  for (std::int64_t number = 1; number <= first->of; ++number)
    if (!numbers.contains(number)) missing.push_back(number);
  if (!missing.empty())
    print_warning(fmt::format("of {} shards these are not among the merged runs: {}", first->of,
                              fmt::join(missing, ", ")));
}

/// One description of all runs: the earliest start, the latest end, what any of them asked.
reports::RunInfo describe_all(const std::vector<fs::path>& runs) {
  std::vector<reports::RunInfo> infos;
  for (const fs::path& run : runs) infos.push_back(read_plan(run));
  reports::RunInfo all = infos.front();
  all.merged_from.clear();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const reports::RunInfo& info = infos[i];
    add_origin(all.merged_from, runs[i], info);
    if (i == 0) continue;
    refuse_unless_alike(runs.front(), infos.front(), runs[i], info);
    add_missing(all.tasks, info.tasks);
    add_missing(all.lengths, info.lengths);
    add_missing(all.reasoning, info.reasoning);
    add_missing(all.caveats, info.caveats);
    add_arithmetic(all, info);
    add_planned(all.planned, info.planned);
    all.started = std::min(all.started, info.started);
    all.finished = std::max(all.finished, info.finished);
  }
  std::sort(all.lengths.begin(), all.lengths.end());
  warn_of_missing_shards(infos);
  all.shard.reset();
  return all;
}

constexpr const char* kPlan = "plan.json";
constexpr const char* kJournal = "journal.jsonl";
/// The name of the journal until it is complete. A folder with nothing else is a merge that a crash
/// cut off.
constexpr const char* kPart = "journal.jsonl.part";

/// Whether files of this name may be in a merged run: a merge writes them, or diagnose adds them.
bool is_of_merge(const std::string& name) {
  constexpr std::array kNames = {
      kPlan,    kJournal,   kPart,     "results.json",          "report.html",
      "tables", "heatmaps", "lm_eval", reports::kDiagnosisPage, "diagnosis"};
  return std::find(kNames.begin(), kNames.end(), std::string_view(name)) != kNames.end() ||
         is_temporary_name(name);
}

/// Throws UsageError when `out` holds anything but an earlier merge of the same sweep.
void refuse_what_is_not_a_merge(const fs::path& out, const reports::RunInfo& info) {
  std::error_code error;
  if (!fs::exists(out, error)) return;
  const auto refuse = [&](const std::string& what) {
    return UsageError(
        fmt::format("merging: {} holds {}; choose another --out", out.string(), what));
  };
  const bool has_plan = fs::exists(out / kPlan, error);
  if (has_plan || fs::exists(out / kJournal, error)) {
    if (!has_plan) throw refuse("a journal already");
    const reports::RunInfo old = read_plan(out);
    if (old.merged_from.empty()) throw refuse("a run already");
    const std::vector<std::string> differences = run_differences(old, info);
    if (!differences.empty())
      throw refuse(fmt::format("a merge of another sweep ({})", fmt::join(differences, "; ")));
  }
  const bool is_cut_off = fs::exists(out / kPart, error);
  fs::directory_iterator entries(out, error);
  if (error)
    throw DataError(fmt::format("merging: looking into {}: {}", out.string(), error.message()));
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (!is_of_merge(name) || (!has_plan && !is_cut_off && !is_temporary_name(name)))
      throw refuse(fmt::format("{}, which no merge has written there", name));
  }
}

/// Writes the records of all runs into `journal`.
void gather_records(const std::vector<fs::path>& runs, AppendFile& journal) {
  constexpr std::size_t kBuffer = std::size_t{1} << 20;
  journal.truncate(0);  // what an earlier merge left
  std::string lines;
  for (const fs::path& run : runs) {
    const auto end = reports::read_records(run / kJournal, [&](const reports::Record& record) {
      lines += nlohmann::json(record).dump() + "\n";
      if (lines.size() < kBuffer) return;
      journal.append(lines);
      lines.clear();
    });
    if (end.torn)
      print_warning(
          fmt::format("{}: the last line has no end, as a crash leaves it, and was left "
                      "out; the same `niah run` asks its sample again",
                      (run / kJournal).string()));
  }
  journal.append(lines);
}

/// Throws DataError when records of `part` contradict each other, UsageError when the merge in
/// `out` holds a record that `part` lacks: it would be lost.
void check_records(const fs::path& part, const reports::RunInfo& info, const fs::path& out) {
  const auto hash = [](const reports::Record& record) {
    return std::hash<std::string>()(nlohmann::json(record).dump());
  };
  std::unordered_set<std::size_t> known;
  reports::Collector collector(info);
  reports::read_records(part, [&](const reports::Record& record) {
    known.insert(hash(record));
    collector.add(record);
  });
  (void)std::move(collector).finish();
  std::error_code ignored;
  if (!fs::exists(out / kJournal, ignored)) return;
  std::int64_t lost = 0;
  reports::read_records(out / kJournal, [&](const reports::Record& record) {
    lost += known.contains(hash(record)) ? 0 : 1;
  });
  if (lost > 0)
    throw UsageError(
        fmt::format("merging: {} holds a merge with {} records that these runs do not have; name "
                    "all of its runs and {} itself, or choose another --out",
                    out.string(), lost, out.string()));
}

/// Turns the gathered journal into a run. If the process is killed between any two steps, the
/// folder is still a merge that the next one replaces: it has the unfinished journal, or a plan
/// that names its origins.
void put_in_place(const fs::path& part, const reports::RunInfo& info, const fs::path& out) {
  std::error_code error;
  fs::remove(out / "results.json",
             error);  // until this ends, old results must not pass for its own
  write_file(out / kPlan, nlohmann::json(info).dump(2) + "\n");
  fs::rename(part, out / kJournal, error);
  if (error)
    throw DataError(
        fmt::format("merging: writing {}: {}", (out / kJournal).string(), error.message()));
}

}  // namespace

reports::Report merge_runs(const std::vector<fs::path>& runs, const fs::path& out) {
  const reports::RunInfo info = describe_all(runs);
  refuse_what_is_not_a_merge(out, info);
  ensure_writable_folder(out);
  const fs::path part = out / kPart;
  AppendFile journal(part);  // locked to the end: only the process with the lock removes it
  try {
    gather_records(runs, journal);
    check_records(part, info, out);  // before anything looks like a run
    put_in_place(part, info, out);
  } catch (const Error&) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw;
  }
  return reports::write_report(info, {out / kJournal}, out);
}

}  // namespace niah
