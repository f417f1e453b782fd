// Which samples each shard of a sweep asks: whole ranges of prompts that begin alike, so that
// shards share prefixes as a run of the whole sweep does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "harness/plan/work_list.h"
#include "reports/record.h"

namespace niah {

/// A prompt in the order in which a sweep's prompts share most.
struct OrderedPrompt {
  std::int64_t tokens = 0;
  std::int64_t shared = 0;  ///< with the prompt before it
};

/// Cuts prompts into at most `ranges` ranges of which the dearest is as cheap as can be: a range
/// costs the tokens that its prompts do not share with the one before them in it. Returns where
/// each begins; none is empty.
std::vector<std::size_t> cut_ranges(const std::vector<OrderedPrompt>& prompts, std::int64_t ranges);

/// Throws UsageError for a sweep whose cells may end early.
void require_shardable(const SweepConfig& sweep);

/// Which samples each of `shards` shards asks: every sample is one shard's. Depends on the sweep
/// alone, of which no prompt is made. Throws Interrupted.
std::vector<reports::ShardPart> share_out(const WorkList& work, std::int64_t shards);

/// The samples that a run asks: all of its sweep's, or one shard's.
class ShardSamples {
 public:
  /// All.
  ShardSamples() = default;
  explicit ShardSamples(const reports::Shard& shard);

  bool holds(std::string_view kind, std::string_view task, std::int64_t length,
             std::int64_t index) const;
  /// For the samples of a work list. This object must outlive it.
  WorkList::Wanted wanted() const;

 private:
  using Key = std::tuple<std::string, std::string, std::int64_t, std::int64_t>;

  bool is_by_index_ = true;
  std::int64_t number_ = 1, of_ = 1;
  std::set<Key, std::less<>> samples_;
};

/// One of a sweep's shards, by its number from 1; the whole sweep by default.
struct ShardChoice {
  std::int64_t number = 1, of = 1;
  bool operator==(const ShardChoice&) const = default;
};

/// The samples that a new run of the shard asks.
ShardSamples samples_of_shard(const WorkList& work, const ShardChoice& shard);

}  // namespace niah
