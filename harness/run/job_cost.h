// Rough costs of asking, for the order of work and the progress line.
#pragma once

#include <cstdint>
#include <functional>

#include "harness/plan/work_list.h"

namespace niah {

/// What it costs to ask one group of an engine's variants, in FLOPs or what takes as long.
struct GroupCost {
  /// Of reading positions [begin, end) for every variant, without logits.
  std::function<double(std::int64_t begin, std::int64_t end)> read;
  /// Of reading [begin, end) for one variant, with `rows` tokens of an answer.
  std::function<double(std::int64_t begin, std::int64_t end, std::int64_t rows)> ask;
  std::int64_t variants = 1;
};

/// The rough cost of asking a work item of a group of variants.
double job_cost(const WorkItem& work, bool shares_prefixes, const GroupCost& group);

}  // namespace niah
