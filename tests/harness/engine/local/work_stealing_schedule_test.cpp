#include "harness/engine/local/work_stealing_schedule.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace niah {
namespace {

const ReadCost kTokens = [](std::int64_t begin, std::int64_t end) {
  return static_cast<double>(end - begin);
};

/// `count` prompts that leave a common text at evenly spaced positions.
std::vector<PromptIds> branches(std::int32_t count, std::int64_t length) {
  std::vector<PromptIds> prompts;
  for (std::int32_t i = 0; i < count; ++i) {
    PromptIds prompt(static_cast<std::size_t>(length), 1);
    std::fill(prompt.begin() + i * length / count, prompt.end(), 2 + i);
    prompts.push_back(prompt);
  }
  return prompts;
}

WorkStealingSchedule schedule(const std::vector<PromptIds>& prompts, std::int64_t chunk,
                              ReadCost cost = kTokens) {
  return {prompts, schedule_prefixes(prompts, chunk, true), std::move(cost)};
}

/// A mock reader whose state is the text it has read; checks every prompt that it is given.
class Player {
 public:
  Player(WorkStealingSchedule& schedule, const std::vector<PromptIds>& prompts, std::int64_t chunk)
      : schedule_(&schedule), prompts_(&prompts), chunk_(chunk), worker_(schedule.join()) {}

  /// Reads the next prompt and returns the tokens that it cost, or nullopt if there is none.
  std::optional<std::int64_t> step(std::set<std::size_t>& seen) {
    const auto scheduled = schedule_->next(worker_);
    if (!scheduled) return std::nullopt;
    const PromptIds& prompt = (*prompts_)[scheduled->prompt];
    EXPECT_TRUE(seen.insert(scheduled->prompt).second) << "read twice";
    snapshots_.erase(snapshots_.upper_bound(scheduled->resume), snapshots_.end());
    const auto latest = std::prev(snapshots_.end());
    const std::int64_t start = latest->first;
    PromptIds read = latest->second;
    if (scheduled->last_return && start == scheduled->resume && start > 0) snapshots_.erase(latest);
    for (std::int64_t at = start; at < scheduled->tail; at += chunk_) {
      read.insert(read.end(), prompt.begin() + at, prompt.begin() + at + chunk_);
      for (const std::int64_t snapshot : scheduled->snapshots)
        if (snapshot == at + chunk_) snapshots_[snapshot] = read;
    }
    read.insert(read.end(), prompt.begin() + scheduled->tail, prompt.end());
    EXPECT_EQ(read, prompt);
    return static_cast<std::int64_t>(prompt.size()) - start;
  }

  std::size_t worker() const { return worker_; }

 private:
  WorkStealingSchedule* schedule_;
  const std::vector<PromptIds>* prompts_;
  std::int64_t chunk_;
  std::size_t worker_;
  std::map<std::int64_t, PromptIds> snapshots_ = {{0, {}}};
};

/// Simulates one thread per entry of `slowness`, thread i being `slowness[i]` times as slow;
/// returns the time until all are done.
double play(const std::vector<PromptIds>& prompts, std::int64_t chunk,
            const std::vector<double>& slowness, double answer = 0) {
  WorkStealingSchedule shared = schedule(prompts, chunk);
  std::vector<Player> players;
  for (std::size_t i = 0; i < slowness.size(); ++i) players.emplace_back(shared, prompts, chunk);
  std::vector<double> clock(players.size(), 0);
  std::vector<bool> through(players.size(), false);
  std::set<std::size_t> seen;
  while (true) {
    std::size_t first = players.size();
    for (std::size_t i = 0; i < players.size(); ++i)
      if (!through[i] && (first == players.size() || clock[i] < clock[first])) first = i;
    if (first == players.size()) break;
    const auto cost = players[first].step(seen);
    if (cost)
      clock[first] += slowness[first] * (static_cast<double>(*cost) + answer);
    else
      through[first] = true;
  }
  EXPECT_EQ(seen.size(), prompts.size());
  EXPECT_TRUE(shared.unread().empty());
  return *std::max_element(clock.begin(), clock.end());
}

TEST(WorkStealingSchedule, OneThreadReadsAsScheduled) {
  const auto prompts = branches(40, 4000);
  const auto schedule = schedule_prefixes(prompts, 8, true);
  EXPECT_EQ(play(prompts, 8, {1}), static_cast<double>(scheduled_tokens(prompts, schedule)));
}

TEST(WorkStealingSchedule, ThreadsShareOneCell) {
  const auto prompts = branches(40, 4000);
  const double alone = play(prompts, 8, {1});
  EXPECT_LT(play(prompts, 8, {1, 1}), 0.56 * alone);
  EXPECT_LT(play(prompts, 8, {1, 1, 1, 1}), 0.33 * alone);
}

TEST(WorkStealingSchedule, AnswersOfUnknownLengthLeaveNobodyIdle) {
  // Each answer costs as much as the longest prompt, which the scheduler does not know.
  const auto prompts = branches(40, 4000);
  EXPECT_LT(play(prompts, 8, {1, 1}, 4000), 0.54 * play(prompts, 8, {1}, 4000));
}

TEST(WorkStealingSchedule, ASlowThreadIsHelped) {
  const auto prompts = branches(40, 4000);
  // Together the two threads are 4/3 as fast as the fast one alone.
  EXPECT_LT(play(prompts, 8, {1, 3}), 0.95 * play(prompts, 8, {1}));
}

TEST(WorkStealingSchedule, NothingIsSharedThatDoesNotPay) {
  // The second prompt shares nearly all of the first.
  std::vector<PromptIds> prompts(2, PromptIds(1000, 1));
  prompts[1].back() = 2;
  WorkStealingSchedule shared = schedule(prompts, 10);
  EXPECT_TRUE(shared.has_work());  // no worker has joined yet
  const std::size_t first = shared.join();
  ASSERT_TRUE(shared.next(first));
  EXPECT_FALSE(shared.has_work());
  EXPECT_FALSE(shared.next(shared.join()));
  EXPECT_TRUE(shared.next(first));
  EXPECT_FALSE(shared.next(first));
}

TEST(WorkStealingSchedule, WhatIsGivenUpIsReadByTheOthers) {
  const auto prompts = branches(10, 1000);
  WorkStealingSchedule shared = schedule(prompts, 10);
  Player first(shared, prompts, 10), second(shared, prompts, 10);
  std::set<std::size_t> seen;
  ASSERT_TRUE(first.step(seen));
  std::set<std::size_t> lost;
  ASSERT_TRUE(second.step(lost));  // runs out of memory for this prompt
  shared.give_up(second.worker());
  EXPECT_FALSE(shared.has_work()) << "no other thread would have more";
  while (first.step(seen)) {
  }
  EXPECT_EQ(seen.size(), prompts.size());
  EXPECT_TRUE(shared.unread().empty());
}

TEST(WorkStealingSchedule, WhatTheLastThreadGivesUpIsUnread) {
  const auto prompts = branches(5, 100);
  WorkStealingSchedule shared = schedule(prompts, 10);
  Player only(shared, prompts, 10);
  std::set<std::size_t> seen;
  ASSERT_TRUE(only.step(seen));
  std::set<std::size_t> lost;
  ASSERT_TRUE(only.step(lost));
  shared.give_up(only.worker());
  EXPECT_EQ(shared.unread().size(), 4U);
  for (const std::size_t prompt : shared.unread()) EXPECT_FALSE(seen.contains(prompt));
}

TEST(WorkStealingSchedule, NothingAfterTheEnd) {
  const auto prompts = branches(5, 100);
  WorkStealingSchedule shared = schedule(prompts, 10);
  const std::size_t worker = shared.join();
  ASSERT_TRUE(shared.next(worker));
  shared.cancel();
  EXPECT_FALSE(shared.next(worker));
  EXPECT_FALSE(shared.has_work());
  WorkStealingSchedule empty = schedule({}, 10);
  EXPECT_FALSE(empty.has_work());
  EXPECT_FALSE(empty.next(empty.join()));
}

TEST(WorkStealingSchedule, RandomTriesComeOutWholeWithAnyNumberOfThreads) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<PromptIds> prompts(1 + random() % 12);
    for (PromptIds& prompt : prompts) {
      prompt.resize(1 + random() % 30);
      for (auto& id : prompt) id = static_cast<std::int32_t>(random() % 2);
    }
    std::vector<double> slowness(1 + random() % 4);
    for (double& one : slowness) one = 1 + static_cast<double>(random() % 5);
    play(prompts, 1 + static_cast<std::int64_t>(random() % 5), slowness,
         static_cast<double>(random() % 40));
  }
}

}  // namespace
}  // namespace niah
