#include "harness/run/prefix_schedule.h"

#include <algorithm>
#include <numeric>

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

}  // namespace

std::vector<Visit> schedule_prefixes(const std::vector<PromptIds>& prompts, std::int64_t chunk,
                                     bool share) {
  check(chunk > 0, "a chunk holds at least one token");
  std::vector<std::size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (share)
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return prompts[a] < prompts[b]; });

  // In lexicographic order the prefix shared with any later prompt is the smallest of those between
  // neighbours on the way there.
  std::vector<std::int64_t> with_next(prompts.size(), 0);
  for (std::size_t i = 0; share && i + 1 < order.size(); ++i)
    with_next[i] = common_prefix(prompts[order[i]], prompts[order[i + 1]], chunk);

  std::vector<Visit> visits;
  for (std::size_t i = 0; i < order.size(); ++i) {
    Visit visit{order[i], i == 0 ? 0 : with_next[i - 1], {}, tail_start(prompts[order[i]], chunk)};
    std::int64_t shared = visit.tail;
    for (std::size_t j = i; j + 1 < order.size(); ++j) {
      shared = std::min(shared, with_next[j]);
      if (shared <= visit.resume) break;
      if (visit.marks.empty() || visit.marks.back() != shared) visit.marks.push_back(shared);
    }
    std::reverse(visit.marks.begin(), visit.marks.end());
    visits.push_back(std::move(visit));
  }
  return visits;
}

std::int64_t scheduled_tokens(const std::vector<PromptIds>& prompts,
                              const std::vector<Visit>& visits) {
  std::int64_t total = 0;
  for (const Visit& visit : visits)
    total += static_cast<std::int64_t>(prompts[visit.prompt].size()) - visit.resume;
  return total;
}

}  // namespace niah
