// What a sweep will cost, before it runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/cost/estimate.h"
#include "harness/plan/sharding.h"

namespace niah {

/// The price of a sweep, or of a shard of it.
struct SweepPrice {
  std::vector<CellPrice> cells;
  double weights = 0;           ///< bytes of all loaded variants, shared tensors once
  double program = 0;           ///< bytes of the process before they were loaded
  std::optional<double> limit;  ///< bytes that may be used
  std::int64_t workers = 1;
  double seconds_low = 0;  ///< of all cells, which workers share
  double seconds_high = 0;
  /// Seconds that the measurement took; nullopt: nothing was measured, and no time is known.
  std::optional<double> measured;
  std::vector<std::string> warnings;
};

/// Loads the models, measures their speed, makes every sample and prices every cell. Nothing is
/// written. Throws what run_sweep throws before its first sample.
SweepPrice price_sweep(const SweepConfig& sweep, const ShardChoice& shard = {});

/// The same for each of a sweep's shards.
std::vector<SweepPrice> price_shards(const SweepConfig& sweep, std::int64_t shards);

/// The same as price_sweep from the checkpoints' headers alone: reads no weights, so it measures no
/// speed, and can price models that this machine could not hold.
SweepPrice price_sweep_by_headers(const SweepConfig& sweep, const ShardChoice& shard = {});

/// A table for people: one line per cell and group of variants, then the totals.
std::string describe_price(const SweepPrice& price, const SweepConfig& sweep);

}  // namespace niah
