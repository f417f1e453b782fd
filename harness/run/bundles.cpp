#include "harness/run/bundles.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace niah {
namespace {

bool pays(const Bundle& lengths, const SweepConfig& sweep, const GroupShape& group) {
  constexpr double kWorthwhile = 0.02;
  constexpr double kMostTokens = 16e6;  // 64 MB of ids
  double all = 0, saved = 0, tokens = 0;
  for (const Assignment& cell : lengths) {
    all += job_cost(cell, sweep, group);
    saved += read_flops(group, 0, cell.length);
    tokens += static_cast<double>(cell.length) * static_cast<double>(cell.samples);
  }
  saved -= read_flops(group, 0, lengths.back().length);  // the longest is read in any case
  return saved > kWorthwhile * all && tokens < kMostTokens;
}

}  // namespace

std::vector<Bundle> bundle_lengths(const std::vector<Assignment>& assignments,
                                   const SweepConfig& sweep, const GroupShape& group) {
  std::map<std::string, Bundle> tasks;
  for (const Assignment& work : assignments)
    if (work.cell != nullptr && !ends_early(work, sweep) && sweep.runtime.share_prefixes)
      tasks[work.cell->request().task].push_back(work);
  for (auto& [task, lengths] : tasks)
    std::stable_sort(lengths.begin(), lengths.end(),
                     [](const Assignment& a, const Assignment& b) { return a.length < b.length; });
  std::erase_if(tasks, [&](const auto& task) { return !pays(task.second, sweep, group); });
  std::vector<Bundle> bundles;
  for (const Assignment& work : assignments) {
    const auto task = work.cell == nullptr ? tasks.end() : tasks.find(work.cell->request().task);
    if (task == tasks.end())
      bundles.push_back({work});
    else if (!task->second.empty())
      bundles.push_back(std::exchange(task->second, {}));
  }
  return bundles;
}

}  // namespace niah
