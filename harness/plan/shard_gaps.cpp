#include "harness/plan/shard_gaps.h"

#include <utility>

namespace niah {

ShardGaps::ShardGaps(const reports::RunInfo& sweep, const reports::Shard& shard)
    : shards_(shard.of) {
  for (const reports::VariantInfo& variant : sweep.variants) found_[variant.fingerprint];
  for (const reports::ShardPart& part : shard.parts)
    for (const std::int64_t index : part.indexes)
      parts_[{part.kind, part.task, part.length, index}] = part.shard;
  if (!shard.parts.empty()) return;
  for (const reports::PlannedCell& cell : sweep.planned)
    planned_[{cell.kind, cell.task, cell.length}] = cell.samples;
}

std::int64_t ShardGaps::shard_of(const Sample& sample) const {
  const auto part = parts_.find(sample);
  if (part != parts_.end()) return part->second;
  const auto& [kind, task, length, index] = sample;
  const auto cell = planned_.find({kind, task, length});
  return cell != planned_.end() && index < cell->second ? index % shards_ + 1 : 0;
}

void ShardGaps::add(const reports::Record& record) {
  const auto variant = found_.find(record.variant);
  if (variant == found_.end()) return;
  Sample sample{record.kind, record.task, record.length, record.index};
  if (shard_of(sample) > 0) variant->second.insert(std::move(sample));
}

std::vector<ShardGap> ShardGaps::gaps() const {
  std::map<std::int64_t, std::int64_t> samples, found;
  for (const auto& [sample, shard] : parts_) ++samples[shard];
  for (const auto& [cell, count] : planned_)
    for (std::int64_t shard = 1; shard <= shards_; ++shard)
      samples[shard] += count / shards_ + (count % shards_ >= shard ? 1 : 0);
  for (const auto& [variant, of_variant] : found_)
    for (const Sample& sample : of_variant) ++found[shard_of(sample)];
  std::vector<ShardGap> gaps;
  for (const auto& [shard, count] : samples) {
    const std::int64_t asked = count * std::ssize(found_);
    if (found[shard] < asked) gaps.push_back({shard, asked - found[shard], asked});
  }
  return gaps;
}

}  // namespace niah
