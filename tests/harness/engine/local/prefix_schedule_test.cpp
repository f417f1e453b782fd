#include "harness/engine/local/prefix_schedule.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace niah {
namespace {

/// Runs a schedule on a mock reader whose state is the text it has read. Checks every prompt and
/// returns the number of tokens read.
std::int64_t read_all(const std::vector<PromptIds>& prompts, std::int64_t chunk, bool share) {
  const auto schedule = schedule_prefixes(prompts, chunk, share);
  std::map<std::int64_t, PromptIds> snapshots = {{0, {}}};
  std::set<std::size_t> seen;
  std::int64_t computed = 0;
  for (const ScheduledPrompt& scheduled : schedule) {
    const PromptIds& prompt = prompts[scheduled.prompt];
    EXPECT_TRUE(seen.insert(scheduled.prompt).second);
    snapshots.erase(snapshots.upper_bound(scheduled.resume), snapshots.end());
    PromptIds read = snapshots.at(scheduled.resume);
    if (scheduled.last_return && scheduled.resume > 0) snapshots.erase(scheduled.resume);
    EXPECT_EQ(scheduled.tail % chunk, 0);
    EXPECT_LT(scheduled.tail, static_cast<std::int64_t>(prompt.size()));
    EXPECT_LE(static_cast<std::int64_t>(prompt.size()) - scheduled.tail, chunk);
    for (std::int64_t at = scheduled.resume; at < scheduled.tail; at += chunk) {
      read.insert(read.end(), prompt.begin() + at, prompt.begin() + at + chunk);
      computed += chunk;
      for (const std::int64_t snapshot : scheduled.snapshots)
        if (snapshot == at + chunk) snapshots.emplace(snapshot, read);
    }
    read.insert(read.end(), prompt.begin() + scheduled.tail, prompt.end());
    computed += static_cast<std::int64_t>(prompt.size()) - scheduled.tail;
    EXPECT_EQ(read, prompt);
  }
  EXPECT_EQ(seen.size(), prompts.size());
  EXPECT_EQ(computed, scheduled_tokens(prompts, schedule));
  return computed;
}

TEST(PrefixSchedule, ReadsEveryPromptOnceWithoutSharing) {
  const std::vector<PromptIds> prompts = {{1, 2, 3, 4, 5}, {1, 2, 3, 4, 6}, {1}};
  EXPECT_EQ(read_all(prompts, 2, false), 11);
}

TEST(PrefixSchedule, NeverReadsACommonChunkTwice) {
  const std::vector<PromptIds> prompts = {
      {1, 2, 3, 4, 5, 6, 7}, {1, 2, 3, 4, 9, 9}, {1, 2, 8, 8, 8}};
  // Chunks of 2: [12][34][56]7, [12][34]99, [12][88]8.
  EXPECT_EQ(read_all(prompts, 2, true), 7 + 2 + 3);
}

TEST(PrefixSchedule, EqualPromptsShareAllButTheTail) {
  const std::vector<PromptIds> prompts(4, PromptIds{1, 2, 3, 4, 5});
  EXPECT_EQ(read_all(prompts, 2, true), 5 + 3 * 1);
}

TEST(PrefixSchedule, NeedlesAtRandomDepthsCostHalf) {
  std::vector<PromptIds> prompts;
  for (int i = 0; i < 40; ++i) {
    PromptIds prompt(4000);
    for (std::size_t t = 0; t < prompt.size(); ++t) prompt[t] = static_cast<std::int64_t>(t);
    const std::size_t needle = static_cast<std::size_t>(i) * 100;
    for (std::size_t t = needle; t < prompt.size(); ++t) prompt[t] += 10000 * (i + 1);
    prompts.push_back(prompt);
  }
  const std::int64_t all = 40 * 4000;
  EXPECT_EQ(read_all(prompts, 16, false), all);
  EXPECT_LT(read_all(prompts, 16, true), all * 56 / 100);
  // With the shallowest needle read first, one snapshot at a time suffices.
  EXPECT_EQ(most_snapshots(schedule_prefixes(prompts, 16, true)), 1);
  EXPECT_EQ(most_snapshots(schedule_prefixes(prompts, 16, false)), 0);
}

TEST(PrefixSchedule, RandomTriesComeOutWhole) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<PromptIds> prompts(1 + random() % 12);
    for (PromptIds& prompt : prompts) {
      prompt.resize(1 + random() % 30);
      for (auto& id : prompt) id = random() % 2;
    }
    const std::int64_t chunk = 1 + static_cast<std::int64_t>(random() % 5);
    EXPECT_LE(read_all(prompts, chunk, true), read_all(prompts, chunk, false));
  }
}

}  // namespace
}  // namespace niah
