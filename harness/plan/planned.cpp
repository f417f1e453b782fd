#include "harness/plan/planned.h"

#include <algorithm>

#include "harness/base/error.h"
#include "harness/config/sweep.h"

namespace niah {
namespace {

std::vector<std::int64_t> indexes_of(const WorkItem& one) {
  std::vector<std::int64_t> indexes;
  for (std::int64_t i = 0; i < one.samples; ++i) indexes.push_back(one.cell->index(i));
  std::sort(indexes.begin(), indexes.end());
  return indexes;
}

}  // namespace

std::vector<reports::PlannedCell> planned_cells(const WorkList& work) {
  std::vector<reports::PlannedCell> cells;
  for (const WorkItem& one : work.assignments()) {
    const bool recall = one.cell != nullptr;
    if (!recall && one.samples == 0) continue;
    cells.push_back({.kind = recall ? "recall" : "reasoning",
                     .task = one.task(),
                     .length = one.length,
                     .samples = one.samples,
                     .may_end_early = ends_early(one, work.sweep())});
    // Only samples from files have indexes of their own; a made cell may have millions.
    if (recall && !work.sweep().sample_files.empty()) cells.back().indexes = indexes_of(one);
  }
  return cells;
}

std::vector<reports::PlannedCell> planned_by_config(const reports::RunInfo& info) {
  SweepConfig sweep;
  try {
    sweep = parse_sweep(info.config_json, "the run's config", "/", {});
  } catch (const Error&) {
    return {};  // a config of another version: nothing is known to be missing
  }
  std::vector<reports::PlannedCell> cells;
  if (!sweep.sample_files.empty()) return cells;
  for (const std::string& task : sweep.tasks)
    for (const std::int64_t length : sweep.lengths)
      cells.push_back({.kind = "recall",
                       .task = task,
                       .length = length,
                       .samples = sweep.samples.at(task, length),
                       .may_end_early = sweep.samples.half_width > 0});
  return cells;
}

}  // namespace niah
