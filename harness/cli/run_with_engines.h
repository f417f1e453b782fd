// Makes the engines of a sweep, and prices them. Two sources define this: run_with_engines.cpp with
// libtorch, run_served_only.cpp without.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "harness/config/sweep.h"
#include "harness/plan/sharding.h"
#include "harness/run/runner.h"
#include "reports/report.h"

namespace niah {

/// Runs a sweep with the engines that its models need. Throws what run_sweep throws, and without
/// libtorch DataError naming the first variant that needs it.
reports::Report run_with_engines(const SweepConfig& sweep, const RunOptions& options);

/// What the sweep, or a shard of it, will cost, for people; nothing is written, and no server is
/// asked. `by_headers` reads no weights. Throws what run_with_engines throws before its first
/// sample.
std::string price_with_engines(const SweepConfig& sweep, bool by_headers, const ShardChoice& shard);

/// What one shard of a sweep takes of a machine at most.
struct ShardNeeds {
  double seconds = 0;
  double bytes = 0;
};

/// What the dearest of `shards` shards takes, measured on this machine; nullopt where that is not
/// known: without libtorch, and where servers answer. Throws what price_with_engines throws.
std::optional<ShardNeeds> shard_needs(const SweepConfig& sweep, std::int64_t shards);

}  // namespace niah
