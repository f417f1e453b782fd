#include "harness/run/crew.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>

namespace niah {
namespace {

using namespace std::chrono_literals;

SharedSchedule separate_prompts(std::size_t count) {
  std::vector<Visit> visits;
  for (std::size_t i = 0; i < count; ++i) visits.push_back({.prompt = i, .last_return = true});
  return {std::vector<PromptIds>(count, PromptIds(10)), std::move(visits),
          [](std::int64_t begin, std::int64_t end) { return static_cast<double>(end - begin); }};
}

TEST(Crew, DoesEveryJobOnce) {
  for (const std::int64_t workers : {1, 3}) {
    Crew crew(workers);
    std::vector<std::atomic<int>> done(20);
    crew.run(done.size(), [&](std::size_t i) { ++done[i]; });
    for (const auto& times : done) EXPECT_EQ(times, 1);
    crew.run(0, [](std::size_t) { FAIL(); });
  }
}

TEST(Crew, ThreadsWithoutAJobHelp) {
  Crew crew(3);
  std::mutex lock;
  std::set<std::size_t> read;
  std::set<std::thread::id> readers;
  crew.run(1, [&](std::size_t) {
    SharedSchedule schedule = separate_prompts(30);
    crew.share(schedule, [&] {
      const std::size_t hand = schedule.join();
      while (const auto visit = schedule.next(hand)) {
        std::this_thread::sleep_for(2ms);
        const std::lock_guard guard(lock);
        EXPECT_TRUE(read.insert(visit->prompt).second);
        readers.insert(std::this_thread::get_id());
      }
    });
    EXPECT_EQ(read.size(), 30U) << "share returns when all are through";
  });
  EXPECT_EQ(readers.size(), 3U);
}

TEST(Crew, AHelpersErrorEndsTheRunAndIsTheOneReported) {
  Crew crew(2);
  const std::thread::id owner = std::this_thread::get_id();
  std::atomic<int> read = 0;
  const auto run = [&] {
    crew.run(2, [&](std::size_t) {
      SharedSchedule schedule = separate_prompts(100'000);
      crew.share(schedule, [&] {
        const std::size_t hand = schedule.join();
        while (schedule.next(hand)) {
          if (std::this_thread::get_id() != owner) throw std::runtime_error("no room on the disk");
          std::this_thread::sleep_for(1ms);
          ++read;
        }
      });
      ADD_FAILURE() << "went on behind the error";
    });
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_LT(read, 50'000);
}

TEST(Crew, AnErrorInAJobEndsTheOthersAtTheirNextStep) {
  Crew crew(2);
  std::atomic<std::size_t> begun = 0;
  const auto run = [&] {
    crew.run(1000, [&](std::size_t i) {
      ++begun;
      if (i == 3) throw std::runtime_error("bad");
      std::this_thread::sleep_for(1ms);
    });
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_LT(begun, 500U);
}

}  // namespace
}  // namespace niah
