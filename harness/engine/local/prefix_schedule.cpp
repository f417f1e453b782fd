#include "harness/engine/local/prefix_schedule.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "harness/base/error.h"

namespace niah {
namespace {

/// Start of the tail: the largest multiple of `chunk` that leaves at least one token.
std::int64_t tail_start(const PromptIds& prompt, std::int64_t chunk) {
  return (static_cast<std::int64_t>(prompt.size()) - 1) / chunk * chunk;
}

/// Length of the common prefix in whole chunks, at most up to either tail.
std::int64_t common_prefix(const PromptIds& a, const PromptIds& b, std::int64_t chunk) {
  const std::int64_t limit = std::min(tail_start(a, chunk), tail_start(b, chunk));
  const auto end = std::mismatch(a.begin(), a.begin() + limit, b.begin()).first;
  return (end - a.begin()) / chunk * chunk;
}

using Order = std::vector<std::size_t>;

/// Rearranges [begin, end) of a lexicographic order, whose neighbours share `with_next`: wherever
/// prompts diverge, the largest branch goes last.
void put_longest_shared_last(Order& order, const std::vector<std::int64_t>& with_next,
                             std::size_t begin, std::size_t end, Order& arranged) {
  if (end - begin == 1) {
    arranged.push_back(order[begin]);
    return;
  }
  const auto first = with_next.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto last = with_next.begin() + static_cast<std::ptrdiff_t>(end) - 1;
  const std::int64_t parting = *std::min_element(first, last);
  std::vector<std::pair<std::size_t, std::size_t>> branches;
  std::size_t from = begin;
  for (std::size_t i = begin; i < end; ++i) {
    if (i + 1 < end && with_next[i] != parting) continue;
    branches.emplace_back(from, i + 1);
    from = i + 1;
  }
  std::stable_sort(branches.begin(), branches.end(), [](const auto& a, const auto& b) {
    return a.second - a.first < b.second - b.first;
  });
  for (const auto& [start, stop] : branches)
    put_longest_shared_last(order, with_next, start, stop, arranged);
}

std::vector<std::int64_t> prefixes_with_next(const std::vector<PromptIds>& prompts,
                                             const Order& order, std::int64_t chunk) {
  std::vector<std::int64_t> shared(order.size(), 0);
  for (std::size_t i = 0; i + 1 < order.size(); ++i)
    shared[i] = common_prefix(prompts[order[i]], prompts[order[i + 1]], chunk);
  return shared;
}

}  // namespace

std::vector<ScheduledPrompt> schedule_prefixes(const std::vector<PromptIds>& prompts,
                                               std::int64_t chunk, bool share) {
  check(chunk > 0, "a chunk holds at least one token");
  Order order(prompts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<std::int64_t> with_next(prompts.size(), 0);
  if (share && !prompts.empty()) {
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return prompts[a] < prompts[b]; });
    Order arranged;
    put_longest_shared_last(order, prefixes_with_next(prompts, order, chunk), 0, order.size(),
                            arranged);
    order = std::move(arranged);
    with_next = prefixes_with_next(prompts, order, chunk);
  }

  std::vector<ScheduledPrompt> schedule;
  for (std::size_t i = 0; i < order.size(); ++i)
    schedule.push_back({.prompt = order[i],
                        .resume = i == 0 ? 0 : with_next[i - 1],
                        .tail = tail_start(prompts[order[i]], chunk)});
  for (std::size_t i = 0; i < schedule.size(); ++i)
    schedule[i] = enter_schedule(schedule, i, schedule[i].resume);
  return schedule;
}

ScheduledPrompt enter_schedule(const std::vector<ScheduledPrompt>& schedule, std::size_t index,
                               std::int64_t resume) {
  ScheduledPrompt scheduled{
      .prompt = schedule[index].prompt, .resume = resume, .tail = schedule[index].tail};
  // Branches stay together, so the prefix shared with any later prompt is the smallest of those
  // between neighbours on the way there.
  std::int64_t shared = scheduled.tail;
  scheduled.last_return = true;
  for (std::size_t later = index + 1; later < schedule.size(); ++later) {
    shared = std::min(shared, schedule[later].resume);
    if (shared <= resume) {
      scheduled.last_return = shared < resume;
      break;
    }
    if (scheduled.snapshots.empty() || scheduled.snapshots.back() != shared)
      scheduled.snapshots.push_back(shared);
  }
  std::reverse(scheduled.snapshots.begin(), scheduled.snapshots.end());
  return scheduled;
}

std::int64_t most_snapshots(const std::vector<ScheduledPrompt>& schedule) {
  std::set<std::int64_t> alive;
  std::size_t most = 0;
  for (const ScheduledPrompt& scheduled : schedule) {
    alive.erase(alive.upper_bound(scheduled.resume), alive.end());
    if (scheduled.last_return) alive.erase(scheduled.resume);
    alive.insert(scheduled.snapshots.begin(), scheduled.snapshots.end());
    most = std::max(most, alive.size());
  }
  return static_cast<std::int64_t>(most);
}

std::int64_t scheduled_tokens(const std::vector<PromptIds>& prompts,
                              const std::vector<ScheduledPrompt>& schedule) {
  std::int64_t total = 0;
  for (const ScheduledPrompt& scheduled : schedule)
    total += static_cast<std::int64_t>(prompts[scheduled.prompt].size()) - scheduled.resume;
  return total;
}

}  // namespace niah
