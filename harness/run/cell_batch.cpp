#include "harness/run/cell_batch.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace niah {
namespace {

bool pays(const CellBatch& lengths, const GroupCost& group) {
  constexpr double kWorthwhile = 0.02;
  constexpr double kMostTokens = 16e6;  // 64 MB of ids
  double all = 0, saved = 0, tokens = 0;
  for (const WorkItem& cell : lengths) {
    all += job_cost(cell, /*shares_prefixes=*/true, group);
    saved += group.read(0, cell.length);
    tokens += static_cast<double>(cell.length) * static_cast<double>(cell.samples);
  }
  saved -= group.read(0, lengths.back().length);  // the longest is read in any case
  return saved > kWorthwhile * all && tokens < kMostTokens;
}

}  // namespace

std::vector<CellBatch> batch_lengths(const std::vector<WorkItem>& assignments,
                                     const SweepConfig& sweep, bool shares_prefixes,
                                     const GroupCost& group) {
  std::map<std::string, CellBatch> tasks;
  for (const WorkItem& work : assignments)
    if (work.cell != nullptr && !ends_early(work, sweep) && shares_prefixes)
      tasks[work.cell->request().task].push_back(work);
  for (auto& [task, lengths] : tasks)
    std::stable_sort(lengths.begin(), lengths.end(),
                     [](const WorkItem& a, const WorkItem& b) { return a.length < b.length; });
  std::erase_if(tasks, [&](const auto& task) { return !pays(task.second, group); });
  std::vector<CellBatch> batches;
  for (const WorkItem& work : assignments) {
    const auto task = work.cell == nullptr ? tasks.end() : tasks.find(work.cell->request().task);
    if (task == tasks.end())
      batches.push_back({work});
    else if (!task->second.empty())
      batches.push_back(std::exchange(task->second, {}));
  }
  return batches;
}

}  // namespace niah
