#include "harness/plan/sharding.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"

namespace niah {
namespace {

/// Where ranges of at most `most` tokens each begin, filled one after the other. `most` is no less
/// than any prompt.
std::vector<std::size_t> fill_ranges(const std::vector<OrderedPrompt>& prompts, std::int64_t most) {
  std::vector<std::size_t> begins;
  std::int64_t left = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::int64_t tokens = prompts[i].tokens - prompts[i].shared;
    if (i > 0 && tokens <= left) {
      left -= tokens;
      continue;
    }
    begins.push_back(i);
    left = most - prompts[i].tokens;  // what it shares is in another range
  }
  return begins;
}

/// A sample in the order of sharing.
struct OrderedSample {
  std::size_t item = 0;  ///< of the sweep's assignments
  std::int64_t index = 0;
  OrderedPrompt prompt;
};

/// A cell's samples by how long they are alike.
void add_cell(std::vector<OrderedSample>& samples, const WorkItem& cell, std::size_t item) {
  const std::size_t first = samples.size();
  const std::int64_t text = std::max<std::int64_t>(0, cell.length - tasks::kGenerationTokens);
  for (std::int64_t i = 0; i < cell.samples; ++i) {
    stop_if_interrupted();
    const double alike = static_cast<double>(text) * cell.cell->alike_until(i);
    samples.push_back({item, cell.cell->index(i), {cell.length, std::llround(alike)}});
  }
  const auto begin = samples.begin() + static_cast<std::ptrdiff_t>(first);
  std::stable_sort(begin, samples.end(), [](const OrderedSample& a, const OrderedSample& b) {
    return a.prompt.shared < b.prompt.shared;
  });
  // Two have in common what comes before the first needle of either.
  std::int64_t before = 0;
  for (auto sample = begin; sample != samples.end(); ++sample)
    before = std::exchange(sample->prompt.shared, before);
}

void add_problems(std::vector<OrderedSample>& samples, const WorkItem& set, std::size_t item) {
  const std::int64_t tokens = set.reasoning->config.max_new_tokens;
  for (std::int64_t i = 0; i < set.samples; ++i) samples.push_back({item, i, {tokens, 0}});
}

/// Reasoning sets, then the cells task by task and short ones first: the lengths of a task may
/// begin alike, too.
std::vector<std::size_t> task_by_task(const std::vector<WorkItem>& items,
                                      const std::vector<std::string>& tasks) {
  const auto place = [&](std::size_t item) {
    const WorkItem& work = items[item];
    const auto task = std::find(tasks.begin(), tasks.end(), work.task()) - tasks.begin();
    return std::tuple(work.cell != nullptr, task, work.length);
  };
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
  return order;
}

}  // namespace

std::vector<std::size_t> cut_ranges(const std::vector<OrderedPrompt>& prompts,
                                    std::int64_t ranges) {
  check(ranges > 0, "there is at least one range");
  std::int64_t low = 0, high = 0;
  for (const OrderedPrompt& prompt : prompts) {
    low = std::max(low, prompt.tokens);
    high += prompt.tokens;
  }
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (std::ssize(fill_ranges(prompts, middle)) <= ranges)
      high = middle;
    else
      low = middle + 1;
  }
  return fill_ranges(prompts, high);
}

void require_shardable(const SweepConfig& sweep) {
  if (sweep.samples.half_width > 0)
    throw UsageError(
        "--shard: with samples.half_width a cell ends by what all of its samples say, which no "
        "shard knows; give a fixed number of samples");
}

std::vector<reports::ShardPart> share_out(const WorkList& work, std::int64_t shards) {
  const std::vector<WorkItem> items = work.assignments();
  std::vector<OrderedSample> samples;
  for (const std::size_t item : task_by_task(items, work.sweep().tasks))
    if (items[item].cell != nullptr)
      add_cell(samples, items[item], item);
    else
      add_problems(samples, items[item], item);

  std::vector<OrderedPrompt> prompts;
  for (const OrderedSample& sample : samples) prompts.push_back(sample.prompt);
  const std::vector<std::size_t> begins = cut_ranges(prompts, shards);
  std::vector<reports::ShardPart> parts;
  std::int64_t shard = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const bool is_next = shard < std::ssize(begins) && begins[static_cast<std::size_t>(shard)] == i;
    if (is_next) ++shard;
    const WorkItem& item = items[samples[i].item];
    if (is_next || samples[i].item != samples[i - 1].item)
      parts.push_back({.shard = shard,
                       .kind = item.cell != nullptr ? "recall" : "reasoning",
                       .task = item.task(),
                       .length = item.length,
                       .indexes = {}});
    parts.back().indexes.push_back(samples[i].index);
  }
  for (reports::ShardPart& part : parts) std::sort(part.indexes.begin(), part.indexes.end());
  return parts;
}

ShardSamples::ShardSamples(const reports::Shard& shard)
    : is_by_index_(shard.parts.empty()), number_(shard.number), of_(shard.of) {
  for (const reports::ShardPart& part : shard.parts)
    if (part.shard == number_)
      for (const std::int64_t index : part.indexes)
        samples_.emplace(part.kind, part.task, part.length, index);
}

bool ShardSamples::holds(std::string_view kind, std::string_view task, std::int64_t length,
                         std::int64_t index) const {
  if (is_by_index_) return index % of_ == number_ - 1;
  return samples_.contains(std::tuple(kind, task, length, index));
}

WorkList::Wanted ShardSamples::wanted() const {
  return [this](const std::string& kind, const std::string& task, std::int64_t length,
                std::int64_t index) { return holds(kind, task, length, index); };
}

ShardSamples samples_of_shard(const WorkList& work, const ShardChoice& shard) {
  if (shard.of == 1) return {};
  require_shardable(work.sweep());
  return ShardSamples({shard.number, shard.of, share_out(work, shard.of)});
}

}  // namespace niah
