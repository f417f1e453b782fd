#include "harness/plan/sharding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/engine/local/prefix_schedule.h"
#include "tests/paths.h"

namespace niah {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

SweepConfig sharded_sweep(const Overrides& more = {}) {
  return parse_sweep(
      "name: shards\nhaystack: {kind: prose}\ntasks: [s1, s2, s3]\nlengths: [4K]\nsamples: 40\n"
      "models: [{name: m, base: base, variants: [base]}]\n"
      "tokenizer: " NIAH_SOURCE_DIR "/models/zoo/tokenizer\n",
      "test", "/", more);
}

/// Tokens that prompts take, read one after the other in this order.
std::int64_t cost(const std::vector<OrderedPrompt>& prompts, std::size_t begin, std::size_t end) {
  std::int64_t tokens = 0;
  for (std::size_t i = begin; i < end; ++i)
    tokens += prompts[i].tokens - (i == begin ? 0 : prompts[i].shared);
  return tokens;
}

/// Of the dearest of the ranges that begin there.
std::int64_t dearest(const std::vector<OrderedPrompt>& prompts,
                     const std::vector<std::size_t>& begins) {
  std::int64_t most = 0;
  for (std::size_t i = 0; i < begins.size(); ++i)
    most = std::max(
        most, cost(prompts, begins[i], i + 1 < begins.size() ? begins[i + 1] : prompts.size()));
  return most;
}

/// What the dearest of at most `ranges` ranges costs at least, by trying all of them.
std::int64_t least(const std::vector<OrderedPrompt>& prompts, std::size_t begin,
                   std::int64_t ranges) {
  std::int64_t best = cost(prompts, begin, prompts.size());
  if (ranges == 1) return best;
  for (std::size_t cut = begin + 1; cut < prompts.size(); ++cut)
    best = std::min(best, std::max(cost(prompts, begin, cut), least(prompts, cut, ranges - 1)));
  return best;
}

TEST(CutRanges, TheDearestIsAsCheapAsCanBe) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<OrderedPrompt> prompts(1 + random() % 8);
    std::int64_t before = 0;
    for (OrderedPrompt& prompt : prompts) {
      prompt.tokens = 1 + static_cast<std::int64_t>(random() % 20);
      prompt.shared =
          static_cast<std::int64_t>(random() % 20) % (std::min(before, prompt.tokens) + 1);
      before = prompt.tokens;
    }
    for (std::int64_t ranges = 1; ranges <= 9; ++ranges) {
      const std::vector<std::size_t> begins = cut_ranges(prompts, ranges);
      ASSERT_LE(std::ssize(begins), ranges);
      ASSERT_EQ(begins.front(), 0U);
      ASSERT_TRUE(std::adjacent_find(begins.begin(), begins.end(), std::greater_equal<>()) ==
                  begins.end())
          << "none is empty";
      ASSERT_EQ(dearest(prompts, begins), least(prompts, 0, ranges));
    }
  }
}

TEST(CutRanges, OfNothingThereAreNone) { EXPECT_TRUE(cut_ranges({}, 3).empty()); }

TEST(CutRanges, WhatSharesMostStaysTogether) {
  // Three cells of two samples each: the cuts fall between them.
  const std::vector<OrderedPrompt> prompts = {{10, 0}, {10, 9}, {10, 0}, {10, 9}, {10, 0}, {10, 9}};
  EXPECT_THAT(cut_ranges(prompts, 3), ElementsAre(0, 2, 4));
}

TEST(ShareOut, EverySampleIsOneShards) {
  const WorkList work(sharded_sweep({{"lengths", "[1K, 2K]"},
                                     {"samples", "5"},
                                     {"tasks", "[s1, multikey_1, multikey_2, absent]"}}));
  for (const std::int64_t shards : {1, 2, 3, 7, 30, 64}) {
    const auto parts = share_out(work, shards);
    EXPECT_EQ(parts, share_out(work, shards));
    std::vector<ShardSamples> all;
    for (std::int64_t number = 1; number <= shards; ++number)
      all.emplace_back(reports::Shard{number, shards, parts});
    for (const WorkItem& cell : work.assignments())
      for (std::int64_t index = 0; index < cell.samples; ++index)
        EXPECT_EQ(std::count_if(all.begin(), all.end(),
                                [&](const ShardSamples& shard) {
                                  return shard.holds("recall", cell.task(), cell.length, index);
                                }),
                  1)
            << cell.label << " " << index << " of " << shards;
  }
}

TEST(ShareOut, ProblemsAreSharedOutAsWell) {
  const WorkList work(sharded_sweep({{"lengths", "[1K]"},
                                     {"tasks", "[s1]"},
                                     {"samples", "2"},
                                     {"reasoning", "[{kind: word-problems, samples: 40}]"}}));
  std::map<std::int64_t, std::size_t> problems;
  for (const reports::ShardPart& part : share_out(work, 4))
    if (part.kind == "reasoning") problems[part.shard] += part.indexes.size();
  EXPECT_GE(problems.size(), 2U);
  std::size_t all = 0;
  for (const auto& [shard, count] : problems) all += count;
  EXPECT_EQ(all, 40U);
}

TEST(ShardSamples, OfAnEarlierVersionGoByTheIndex) {
  const ShardSamples second(reports::Shard{2, 3});
  EXPECT_TRUE(second.holds("recall", "s1", 4096, 1));
  EXPECT_TRUE(second.holds("reasoning", "sums", 0, 4));
  EXPECT_FALSE(second.holds("recall", "s1", 4096, 2));
  EXPECT_TRUE(ShardSamples().holds("recall", "s1", 4096, 2));
}

/// What reading a cell's prompts costs when each shard reads its own, beginning together what
/// begins alike.
class SharedTokens {
 public:
  SharedTokens(const WorkList& work, const WorkItem& cell) {
    for (const Question& question : work.questions(cell)) prompts_.push_back(question.ids);
  }
  std::int64_t of_one() const { return tokens(prompts_); }
  /// `shard_of`: of a sample, by its index.
  template <typename F>
  std::int64_t of_shards(std::int64_t shards, const F& shard_of) const {
    std::vector<std::vector<PromptIds>> own(static_cast<std::size_t>(shards));
    for (std::size_t i = 0; i < prompts_.size(); ++i)
      own[static_cast<std::size_t>(shard_of(static_cast<std::int64_t>(i)) - 1)].push_back(
          prompts_[i]);
    std::int64_t all = 0;
    for (const auto& prompts : own) all += tokens(prompts);
    return all;
  }

 private:
  static std::int64_t tokens(const std::vector<PromptIds>& prompts) {
    return scheduled_tokens(prompts, schedule_prefixes(prompts, /*chunk=*/1, /*share=*/true));
  }

  std::vector<PromptIds> prompts_;
};

TEST(ShareOut, EightShardsOfACellReadAtMostAQuarterMoreThanOne) {
  constexpr std::int64_t kShards = 8;
  for (const char* task : {"s1", "s2", "s3"}) {
    const WorkList work(sharded_sweep({{"tasks", std::string("[") + task + "]"}}));
    const WorkItem cell = work.assignments().front();
    const SharedTokens tokens(work, cell);
    std::map<std::int64_t, std::int64_t> shard_of;
    for (const reports::ShardPart& part : share_out(work, kShards))
      for (const std::int64_t index : part.indexes) shard_of[index] = part.shard;
    const auto one = static_cast<double>(tokens.of_one());
    const auto ranges = tokens.of_shards(kShards, [&](std::int64_t i) { return shard_of.at(i); });
    const auto by_index = tokens.of_shards(kShards, [](std::int64_t i) { return i % kShards + 1; });
    EXPECT_LE(static_cast<double>(ranges) / one, 1.25) << task;
    EXPECT_LT(ranges, by_index) << task;
    RecordProperty(std::string(task) + "_ranges_percent",
                   static_cast<int>(100 * static_cast<double>(ranges) / one));
    RecordProperty(std::string(task) + "_by_index_percent",
                   static_cast<int>(100 * static_cast<double>(by_index) / one));
  }
}

TEST(ShareOut, ShardsOfASweepCostAboutTheSame) {
  // 1/8 of all tokens is what the dearest cannot be below; twice that would be a machine too few.
  constexpr std::int64_t kShards = 8;
  const WorkList work(sharded_sweep({{"lengths", "[1K, 2K, 4K]"}}));
  std::map<std::int64_t, std::int64_t> cost_of;
  const auto parts = share_out(work, kShards);
  for (const WorkItem& cell : work.assignments()) {
    for (std::int64_t shard = 1; shard <= kShards; ++shard) {
      const ShardSamples samples(reports::Shard{shard, kShards, parts});
      std::vector<PromptIds> prompts;
      for (const Question& question :
           work.questions(cell, [&](const auto&kind, const auto&name, auto length, auto index) {
             return samples.holds(kind, name, length, index);
           }))
        prompts.push_back(question.ids);
      cost_of[shard] += scheduled_tokens(prompts, schedule_prefixes(prompts, 1, true));
    }
  }
  std::int64_t all = 0, most = 0;
  for (const auto& [shard, tokens] : cost_of) {
    all += tokens;
    most = std::max(most, tokens);
  }
  EXPECT_LT(static_cast<double>(most), 1.15 * static_cast<double>(all) / kShards);
}

}  // namespace
}  // namespace niah
