// What asking servers will cost in requests and tokens; asks nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/plan/sharding.h"
#include "harness/plan/work_list.h"

namespace niah {

/// One cell, asked of one served variant.
struct ServedPrice {
  std::string label;    ///< "S2@64K"
  std::string variant;  ///< with its model: "pair served"
  std::int64_t samples = 0;
  std::int64_t requests = 0;    ///< with those for log-probabilities and for cache_probe
  std::int64_t tokens_in = 0;   ///< of prompts, without the server's chat template
  std::int64_t tokens_out = 0;  ///< at most
};

/// Makes every sample and prices every cell for every served variant, as if each request succeeded
/// at its first try. Needs no server and no key. Throws what making samples throws.
std::vector<ServedPrice> price_served(const WorkList& work, const ShardChoice& shard = {});

/// A table for people: one line per cell and variant, then the totals.
std::string describe_served(const std::vector<ServedPrice>& prices, const SweepConfig& sweep);

}  // namespace niah
