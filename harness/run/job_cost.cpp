#include "harness/run/job_cost.h"

namespace niah {

double job_cost(const WorkItem& work, bool shares_prefixes, const GroupCost& group) {
  constexpr std::int64_t kReasoningTokens = 500;  // a problem and its solution
  const auto samples = static_cast<double>(work.samples);
  if (work.cell == nullptr)
    return samples * static_cast<double>(group.variants) *
           group.ask(0, kReasoningTokens, kReasoningTokens / 2);
  const double whole = group.read(0, work.length);
  if (!shares_prefixes) return samples * whole;
  // The shared prefix once, and for each sample what follows a needle, at the mean of all depths.
  double left = 0;
  constexpr std::int64_t kDepths = 8;
  for (std::int64_t i = 0; i < kDepths; ++i)
    left += group.read(work.length * (2 * i + 1) / (2 * kDepths), work.length) / kDepths;
  return whole + samples * left;
}

}  // namespace niah
