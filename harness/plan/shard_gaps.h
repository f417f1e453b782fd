// What is missing of a merge, by the shard that was to ask it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "reports/record.h"

namespace niah {

/// A shard whose samples do not all have a record. A sample counts once for every variant.
struct ShardGap {
  std::int64_t shard = 1;
  std::int64_t missing = 0;
  std::int64_t samples = 0;
  bool operator==(const ShardGap&) const = default;
};

/// Takes records, in any order, and tells which shards have to be run again.
class ShardGaps {
 public:
  /// `sweep`: what all shards ask together, of which variants; `shard`: any of them.
  ShardGaps(const reports::RunInfo& sweep, const reports::Shard& shard);

  void add(const reports::Record& record);
  /// By number.
  std::vector<ShardGap> gaps() const;

 private:
  /// Kind, task, length, index.
  using Sample = std::tuple<std::string, std::string, std::int64_t, std::int64_t>;

  /// The shard that asks it; 0: none does.
  std::int64_t shard_of(const Sample& sample) const;

  std::int64_t shards_ = 1;
  std::map<Sample, std::int64_t> parts_;
  /// Samples of kind, task and length, where shards go by the index.
  std::map<std::tuple<std::string, std::string, std::int64_t>, std::int64_t> planned_;
  std::map<std::string, std::set<Sample>> found_;  ///< by variant
};

}  // namespace niah
