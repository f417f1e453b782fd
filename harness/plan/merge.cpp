#include "harness/plan/merge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/base/progress.h"
#include "harness/base/text.h"
#include "harness/plan/plan.h"
#include "harness/plan/run_mark.h"
#include "harness/plan/shard_gaps.h"
#include "reports/analysis/results.h"
#include "reports/diagnosis/page.h"
#include "reports/format.h"
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
    add_missing(all.caveats,
                {fmt::format("Its parts were not computed alike: {}. The last bits of "
                             "log-probabilities, and rarely an answer, depend on that.",
                             difference.words())});
    known = both;
  }
  for (const auto& [name, value] : info.arithmetic) all.arithmetic.try_emplace(name, value);
}

/// What a plan promises of a cell, comparable: one that may end early promises less than any other.
std::pair<bool, std::int64_t> promises(const reports::PlannedCell& cell) {
  return {!cell.may_end_early, cell.samples};
}

/// Adds planned cells: each cell once, as the run that promises most of it has it.
void add_planned(std::vector<reports::PlannedCell>& into,
                 const std::vector<reports::PlannedCell>& more) {
  for (const reports::PlannedCell& cell : more) {
    const auto known = std::find_if(into.begin(), into.end(), [&](const auto& other) {
      return other.kind == cell.kind && other.task == cell.task && other.length == cell.length;
    });
    if (known == into.end())
      into.push_back(cell);
    else if (promises(cell) > promises(*known))
      *known = cell;
  }
}

/// Adds the origins of a run's records: the run, or the runs that it was merged from.
void add_origin(std::vector<std::string>& origins, const fs::path& run,
                const reports::RunInfo& info) {
  add_missing(origins, info.merged_from.empty() ? std::vector<std::string>{valid_utf8(run.string())}
                                                : info.merged_from);
}

/// How the samples are divided among shards, if all shards among the runs agree on it.
std::optional<reports::Shard> common_sharding(const std::vector<reports::RunInfo>& infos) {
  std::optional<reports::Shard> common;
  for (const reports::RunInfo& info : infos) {
    if (!info.shard) continue;
    if (!common) common = info.shard;
    if (common->of != info.shard->of || common->parts != info.shard->parts) return std::nullopt;
  }
  return common;
}

/// One description of all runs: the earliest start, the latest end, what any of them asked.
reports::RunInfo describe_all(const std::vector<fs::path>& runs,
                              const std::vector<reports::RunInfo>& infos) {
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
    if (info.config_json != all.config_json) add_missing(all.other_configs, {info.config_json});
    add_missing(all.other_configs, info.other_configs);
    all.started = std::min(all.started, info.started);
    all.finished = std::max(all.finished, info.finished);
  }
  std::sort(all.lengths.begin(), all.lengths.end());
  std::erase(all.other_configs, all.config_json);
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
      kPlan,         kJournal, kPart,      kLastRunFile, "results.json",
      "report.html", "tables", "heatmaps", "lm_eval",    reports::kDiagnosisPage,
      "diagnosis"};
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
  if (fs::is_symlink(out / kPart, error)) throw refuse(fmt::format("{}, a link", kPart));
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

/// Tells records that are the same to the byte from those of one sample that was asked twice.
class Repeats {
 public:
  /// Whether this line is the first of its kind.
  bool is_new(const reports::Record& record, const std::string& line) {
    return lines_[{record.variant, record.kind, record.task, record.length, record.index}]
        .insert(std::hash<std::string>()(line))
        .second;
  }

 private:
  using Key = std::tuple<std::string, std::string, std::string, std::int64_t, std::int64_t>;

  std::map<Key, std::set<std::size_t>> lines_;
};

/// Writes the records of all runs into `journal`, each once: a run may be named with the merge that
/// holds it. Shows each to `gaps`, if there is one.
void gather_records(const std::vector<fs::path>& runs, AppendFile& journal,
                    std::optional<ShardGaps>& gaps) {
  constexpr std::size_t kBuffer = std::size_t{1} << 20;
  journal.truncate(0);  // what an earlier merge left
  std::string lines;
  Repeats repeats;
  for (const fs::path& run : runs) {
    const auto end = reports::read_records(run / kJournal, [&](const reports::Record& record) {
      const std::string line = nlohmann::json(record).dump() + "\n";
      if (!repeats.is_new(record, line)) return;
      if (gaps) gaps->add(record);
      lines += line;
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
        fmt::format("merging: {} holds a merge with {} that these runs do not have; name "
                    "all of its runs and {} itself, or choose another --out",
                    out.string(), reports::counted(lost, "record"), out.string()));
}

/// Says which shards have to be run again.
void warn_of_missing_samples(const std::vector<ShardGap>& gaps, std::int64_t shards) {
  constexpr std::size_t kMost = 20;
  for (std::size_t i = 0; i < std::min(kMost, gaps.size()); ++i)
    print_warning(fmt::format(
        "shard {0}/{1}: {2} of {3} {4} missing; run the same sweep with --shard {0}/{1} and merge "
        "again",
        gaps[i].shard, shards, gaps[i].missing, reports::counted(gaps[i].samples, "sample"),
        gaps[i].missing == 1 ? "is" : "are"));
  if (gaps.size() > kMost) print_warning(fmt::format("and of {} more shards", gaps.size() - kMost));
}

/// What must be said of runs whose last `niah run` did not end well; empty if all did.
std::string troubles_of(const std::vector<fs::path>& runs) {
  std::vector<std::string> troubles;
  for (const fs::path& run : runs) {
    const auto last = read_last_run(run);
    const std::string trouble = last ? last->trouble_of_records() : "";
    if (!trouble.empty()) troubles.push_back(fmt::format("{}: {}", run.string(), trouble));
  }
  return fmt::format("{}", fmt::join(troubles, "; "));
}

/// The same of an earlier merge, whose mark may be one that cannot be read.
std::string trouble_held_by(const fs::path& out) {
  try {
    const auto last = read_last_run(out);
    return last ? last->trouble_of_records() : "";
  } catch (const DataError& error) {
    return error.what();
  }
}

/// Turns the gathered journal into a run. `troubles` becomes the mark of the merge: what a shard
/// that was refused tonight holds is of an earlier night. If the process is killed between any two
/// steps, the folder is still a merge that the next one replaces: it has the unfinished journal, or
/// a plan that names its origins.
void put_in_place(const fs::path& part, const reports::RunInfo& info, const fs::path& out,
                  const std::string& troubles) {
  std::error_code error;
  fs::remove(out / "results.json",
             error);  // until this ends, old results must not pass for its own
  if (troubles.empty()) remove_mark(out);
  write_file(out / kPlan, nlohmann::json(info).dump(2) + "\n");
  fs::rename(part, out / kJournal, error);
  if (error)
    throw DataError(
        fmt::format("merging: writing {}: {}", (out / kJournal).string(), error.message()));
  if (!troubles.empty()) mark_failed(out, troubles);
}

/// Whether `out` holds an earlier merge, whose results must not pass for those of one that fails.
bool holds_merge(const fs::path& out) {
  return is_there(out / kPlan) && !read_plan(out).merged_from.empty();
}

reports::Report merge_into(const std::vector<fs::path>& runs, const fs::path& out,
                           const std::string& troubles) {
  std::vector<reports::RunInfo> infos;
  for (const fs::path& run : runs) infos.push_back(read_plan(run));
  const reports::RunInfo info = describe_all(runs, infos);
  refuse_what_is_not_a_merge(out, info);
  ensure_writable_folder(out);
  const std::optional<reports::Shard> sharding = common_sharding(infos);
  std::optional<ShardGaps> gaps;
  if (sharding) gaps.emplace(info, *sharding);
  const fs::path part = out / kPart;
  AppendFile journal(part);  // locked to the end: only the process with the lock removes it
  try {
    gather_records(runs, journal, gaps);
    check_records(part, info, out);  // before anything looks like a run
    put_in_place(part, info, out, troubles);
  } catch (const Error&) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw;
  }
  if (gaps && sharding) warn_of_missing_samples(gaps->gaps(), sharding->of);
  return reports::write_report(info, {out / kJournal}, out);
}

}  // namespace

reports::Report merge_runs(const std::vector<fs::path>& runs, const fs::path& out) {
  if (!holds_merge(out)) return merge_into(runs, out, troubles_of(runs));
  reports::Report report;
  with_mark_of_failure(out, [&] {
    mark_begun(out, trouble_held_by(out));
    report = merge_into(runs, out, troubles_of(runs));
    return ExitCode::kOk;
  });
  return report;
}

}  // namespace niah
