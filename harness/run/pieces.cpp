#include "harness/run/pieces.h"

#include <algorithm>
#include <cstddef>

namespace niah {
namespace {

double piece_cost(const JobCost& job, std::int64_t pieces) {
  const auto count = static_cast<double>(pieces);
  // Pieces are stretches of the trunk: on average a piece begins halfway up, the last at its end.
  return std::max(job.trunk, job.rest / count + job.trunk * (count + 1) / (2 * count));
}

std::vector<double> all_pieces(const std::vector<JobCost>& jobs,
                               const std::vector<std::int64_t>& pieces) {
  std::vector<double> list;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    list.insert(list.end(), static_cast<std::size_t>(pieces[i]), piece_cost(jobs[i], pieces[i]));
  return list;
}

}  // namespace

double makespan(const std::vector<double>& jobs, std::int64_t workers) {
  std::vector<double> busy(static_cast<std::size_t>(std::max<std::int64_t>(1, workers)), 0);
  for (const double job : jobs) *std::min_element(busy.begin(), busy.end()) += job;
  return *std::max_element(busy.begin(), busy.end());
}

std::vector<std::int64_t> count_pieces(const std::vector<JobCost>& jobs, std::int64_t workers) {
  std::vector<std::int64_t> pieces(jobs.size(), 1), best = pieces;
  if (workers <= 1 || jobs.empty()) return best;
  constexpr double kWorthwhile = 0.97;  // a cut walks a trunk twice; noise is not worth one
  double shortest = makespan(all_pieces(jobs, pieces), workers);
  // Cut the costliest pieces first. Jobs of equal cost may all have to be cut before it shows.
  for (std::int64_t tries = 0; tries < 4 * workers; ++tries) {
    std::size_t largest = jobs.size();
    double most = 0;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const double cost = piece_cost(jobs[i], pieces[i]);
      if (pieces[i] >= std::min(workers, jobs[i].most_pieces) || cost < most) continue;
      largest = i;
      most = cost;
    }
    if (largest == jobs.size()) break;
    ++pieces[largest];
    const double now = makespan(all_pieces(jobs, pieces), workers);
    if (now > kWorthwhile * shortest) continue;
    shortest = now;
    best = pieces;
  }
  return best;
}

}  // namespace niah
