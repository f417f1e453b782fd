// Sharing a run's work between threads that each read on their own.
#pragma once

#include <cstdint>
#include <vector>

namespace niah {

/// What a cell costs on one group of variants, in any unit.
struct JobCost {
  double trunk = 0;  ///< the common prefix, which every piece walks again in part
  double rest = 0;   ///< what is divided
  std::int64_t most_pieces = 1;
};

/// Seconds until jobs are done that are taken off the list in order by so many workers.
double makespan(const std::vector<double>& jobs, std::int64_t workers);

/// Into how many pieces to cut each job, so that no worker is idle for long while others still
/// work: one each where there are jobs enough.
std::vector<std::int64_t> count_pieces(const std::vector<JobCost>& jobs, std::int64_t workers);

}  // namespace niah
