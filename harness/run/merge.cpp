#include "harness/run/merge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/run/journal.h"
#include "harness/run/plan.h"
#include "reports/journal.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

template <typename T>
void add_missing(std::vector<T>& into, const std::vector<T>& more) {
  for (const T& item : more)
    if (std::find(into.begin(), into.end(), item) == into.end()) into.push_back(item);
}

/// One description of all runs: the earliest start, the latest end, what any of them asked.
reports::RunInfo describe_all(const std::vector<fs::path>& runs) {
  reports::RunInfo all;
  for (const fs::path& run : runs) {
    const reports::RunInfo info = read_plan(run);
    if (&run == &runs.front()) {
      all = info;
      continue;
    }
    const std::vector<std::string> differences = run_differences(all, info);
    if (!differences.empty())
      throw UsageError(fmt::format("merging: {} and {} are not runs of one sweep: {}",
                                   runs.front().string(), run.string(),
                                   fmt::join(differences, "; ")));
    add_missing(all.tasks, info.tasks);
    add_missing(all.lengths, info.lengths);
    add_missing(all.reasoning, info.reasoning);
    add_missing(all.caveats, info.caveats);
    all.started = std::min(all.started, info.started);
    all.finished = std::max(all.finished, info.finished);
  }
  std::sort(all.lengths.begin(), all.lengths.end());
  return all;
}

}  // namespace

reports::Report merge_runs(const std::vector<fs::path>& runs, const fs::path& out) {
  for (const char* file : {"plan.json", "journal.jsonl"})
    if (fs::exists(out / file))
      throw UsageError(
          fmt::format("merging: {} holds a run already; choose another --out", out.string()));
  const reports::RunInfo info = describe_all(runs);
  ensure_writable_folder(out);
  const fs::path part = out / "journal.jsonl.part";
  fs::remove(part);
  {
    constexpr std::size_t kBuffer = std::size_t{1} << 20;
    AppendFile journal(part);
    std::string lines;
    for (const fs::path& run : runs)
      reports::read_records(run / "journal.jsonl", [&](const reports::Record& record) {
        lines += nlohmann::json(record).dump() + "\n";
        if (lines.size() < kBuffer) return;
        journal.append(lines);
        lines.clear();
      });
    journal.append(lines);
  }
  // Two runs that contradict each other are found out before anything looks like a run.
  reports::Report report = reports::write_report(info, {part}, out);
  write_file(out / "plan.json", nlohmann::json(info).dump(2) + "\n");
  fs::rename(part, out / "journal.jsonl");
  return report;
}

}  // namespace niah
