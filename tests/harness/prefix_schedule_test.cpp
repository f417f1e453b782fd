#include "harness/run/prefix_schedule.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace niah {
namespace {

/// Plays a schedule on a pretend reader whose state is the text read, and checks every prompt.
std::int64_t play(const std::vector<PromptIds>& prompts, std::int64_t chunk, bool share) {
  const auto visits = schedule_prefixes(prompts, chunk, share);
  std::map<std::int64_t, PromptIds> marks = {{0, {}}};
  std::set<std::size_t> seen;
  std::int64_t computed = 0;
  for (const Visit& visit : visits) {
    const PromptIds& prompt = prompts[visit.prompt];
    EXPECT_TRUE(seen.insert(visit.prompt).second);
    marks.erase(marks.upper_bound(visit.resume), marks.end());
    PromptIds read = marks.at(visit.resume);
    if (visit.last_return && visit.resume > 0) marks.erase(visit.resume);
    EXPECT_EQ(visit.tail % chunk, 0);
    EXPECT_LT(visit.tail, static_cast<std::int64_t>(prompt.size()));
    EXPECT_LE(static_cast<std::int64_t>(prompt.size()) - visit.tail, chunk);
    for (std::int64_t at = visit.resume; at < visit.tail; at += chunk) {
      read.insert(read.end(), prompt.begin() + at, prompt.begin() + at + chunk);
      computed += chunk;
      for (const std::int64_t mark : visit.marks)
        if (mark == at + chunk) marks.emplace(mark, read);
    }
    read.insert(read.end(), prompt.begin() + visit.tail, prompt.end());
    computed += static_cast<std::int64_t>(prompt.size()) - visit.tail;
    EXPECT_EQ(read, prompt);
  }
  EXPECT_EQ(seen.size(), prompts.size());
  EXPECT_EQ(computed, scheduled_tokens(prompts, visits));
  return computed;
}

TEST(PrefixSchedule, ReadsEveryPromptOnceWithoutSharing) {
  const std::vector<PromptIds> prompts = {{1, 2, 3, 4, 5}, {1, 2, 3, 4, 6}, {1}};
  EXPECT_EQ(play(prompts, 2, false), 11);
}

TEST(PrefixSchedule, NeverReadsACommonChunkTwice) {
  const std::vector<PromptIds> prompts = {
      {1, 2, 3, 4, 5, 6, 7}, {1, 2, 3, 4, 9, 9}, {1, 2, 8, 8, 8}};
  // Chunks of 2: [12][34][56]7, [12][34]99, [12][88]8.
  EXPECT_EQ(play(prompts, 2, true), 7 + 2 + 3);
}

TEST(PrefixSchedule, EqualPromptsShareAllButTheTail) {
  const std::vector<PromptIds> prompts(4, PromptIds{1, 2, 3, 4, 5});
  EXPECT_EQ(play(prompts, 2, true), 5 + 3 * 1);
}

TEST(PrefixSchedule, NeedlesAtRandomDepthsCostHalf) {
  std::mt19937 random(2);
  std::vector<PromptIds> prompts;
  for (int i = 0; i < 40; ++i) {
    PromptIds prompt(4000);
    for (std::size_t t = 0; t < prompt.size(); ++t) prompt[t] = static_cast<std::int64_t>(t);
    const std::size_t needle = static_cast<std::size_t>(i) * 100;
    for (std::size_t t = needle; t < prompt.size(); ++t) prompt[t] += 10000 * (i + 1);
    prompts.push_back(prompt);
  }
  const std::int64_t all = 40 * 4000;
  EXPECT_EQ(play(prompts, 16, false), all);
  EXPECT_LT(play(prompts, 16, true), all * 56 / 100);
  // The shallowest needle first: the text that the others share is read on from where it left.
  EXPECT_EQ(most_marks(schedule_prefixes(prompts, 16, true)), 1);
  EXPECT_EQ(most_marks(schedule_prefixes(prompts, 16, false)), 0);
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
    EXPECT_LE(play(prompts, chunk, true), play(prompts, chunk, false));
  }
}

const ReadCost kTokens = [](std::int64_t begin, std::int64_t end) {
  return static_cast<double>(end - begin);
};

TEST(CutSchedule, StretchesCostTheSameAndHoldEveryPromptOnce) {
  // One text left at 40 places.
  constexpr std::int64_t kLength = 4000, kChunk = 8;
  std::vector<PromptIds> prompts;
  for (std::int32_t i = 0; i < 40; ++i) {
    PromptIds prompt(kLength, 1);
    std::fill(prompt.begin() + i * 100, prompt.end(), 2 + i);
    prompts.push_back(prompt);
  }
  const auto visits = schedule_prefixes(prompts, kChunk, true);
  const std::int64_t whole = scheduled_tokens(prompts, visits);
  for (const std::int64_t pieces : {1, 2, 3, 7}) {
    std::vector<std::size_t> begins = cut_schedule(prompts, visits, pieces, kTokens);
    ASSERT_EQ(begins.size(), static_cast<std::size_t>(pieces));
    EXPECT_EQ(begins.front(), 0U);
    begins.push_back(visits.size());
    std::int64_t longest = 0;
    for (std::size_t p = 0; p + 1 < begins.size(); ++p) {
      ASSERT_LT(begins[p], begins[p + 1]);
      std::vector<PromptIds> own;
      for (std::size_t i = begins[p]; i < begins[p + 1]; ++i)
        own.push_back(prompts[visits[i].prompt]);
      longest = std::max(longest, scheduled_tokens(own, schedule_prefixes(own, kChunk, true)));
    }
    EXPECT_LE(longest, whole / pieces + 2 * kLength);
  }
}

TEST(CutSchedule, LateTokensMayCostMore) {
  // Two halves of a text, read by prompts that each leave it at another place: with a cost that
  // grows with the position the second stretch gets fewer of them.
  std::vector<PromptIds> prompts;
  for (std::int32_t i = 0; i < 20; ++i) {
    PromptIds prompt(2000, 1);
    std::fill(prompt.begin() + i * 100, prompt.end(), 2 + i);
    prompts.push_back(prompt);
  }
  const auto visits = schedule_prefixes(prompts, 4, true);
  const auto square = [](std::int64_t begin, std::int64_t end) {
    return static_cast<double>(end * end - begin * begin);
  };
  const auto even = cut_schedule(prompts, visits, 2, kTokens);
  const auto late = cut_schedule(prompts, visits, 2, square);
  ASSERT_EQ(even.size(), 2U);
  ASSERT_EQ(late.size(), 2U);
  EXPECT_GT(late[1], even[1]);
}

TEST(CutSchedule, MakesNoMorePiecesThanPrompts) {
  const std::vector<PromptIds> prompts = {{1, 2, 3}, {1, 2, 4}};
  const auto visits = schedule_prefixes(prompts, 2, true);
  EXPECT_LE(cut_schedule(prompts, visits, 5, kTokens).size(), 2U);
  EXPECT_TRUE(cut_schedule({}, {}, 3, kTokens).empty());
}

}  // namespace
}  // namespace niah
