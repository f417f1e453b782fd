#include "harness/run/crew.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
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

/// Lets nobody on before so many threads have come: what several must do at once does not depend
/// on how fast each of them is. Gives up after a minute.
class Meeting {
 public:
  explicit Meeting(std::size_t threads) : threads_(threads) {}
  /// Whether all of them came.
  bool come() {
    std::unique_lock guard(lock_);
    come_.insert(std::this_thread::get_id());
    changed_.notify_all();
    return changed_.wait_for(guard, 60s, [&] { return come_.size() >= threads_; });
  }

 private:
  std::size_t threads_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::set<std::thread::id> come_;
};

/// What `run` throws.
template <typename Run>
std::string error_of(const Run& run) {
  try {
    run();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "no error";
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

TEST(Crew, SeveralThreadsPrepareThemselvesAndOneNeedNot) {
  for (const std::int64_t workers : {1, 3}) {
    std::atomic<std::int64_t> prepared = 0;
    Crew crew(workers, [&] { ++prepared; });
    crew.run(5, [](std::size_t) {});
    EXPECT_EQ(prepared, workers == 1 ? 0 : workers);
  }
}

TEST(Crew, ThreadsWithoutAJobHelp) {
  Crew crew(3);
  std::mutex lock;
  std::set<std::size_t> read;
  std::set<std::thread::id> readers;
  Meeting all_three(3);
  crew.run(1, [&](std::size_t) {
    SharedSchedule schedule = separate_prompts(30);
    crew.share(schedule, [&] {
      const std::size_t hand = schedule.join();
      while (const auto visit = schedule.next(hand)) {
        EXPECT_TRUE(all_three.come());
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
  Meeting both(2);
  std::atomic<int> helpers = 0, left = 0;
  const std::string error = error_of([&] {
    crew.run(1, [&](std::size_t) {
      // One job alone: whoever else reads is a helper.
      const std::thread::id owner = std::this_thread::get_id();
      SharedSchedule schedule = separate_prompts(100'000);
      crew.share(schedule, [&] {
        const std::size_t hand = schedule.join();
        while (schedule.next(hand)) {
          EXPECT_TRUE(both.come());
          if (std::this_thread::get_id() == owner) {
            std::this_thread::sleep_for(1ms);
            continue;
          }
          ++helpers;
          throw std::runtime_error("no room on the disk");
        }
        left = static_cast<int>(schedule.unread().size());
      });
      ADD_FAILURE() << "went on behind the error";
    });
  });
  EXPECT_EQ(error, "no room on the disk");
  EXPECT_EQ(helpers, 1);
  EXPECT_GT(left, 0) << "the owner read to the end";
}

TEST(Crew, TheOwnersErrorStopsItsHelpers) {
  Crew crew(2);
  Meeting both(2);
  std::atomic<bool> has_thrown = false, helper_ended = false;
  const std::string error = error_of([&] {
    crew.run(1, [&](std::size_t) {
      const std::thread::id owner = std::this_thread::get_id();
      SharedSchedule schedule = separate_prompts(100'000);
      crew.share(schedule, [&] {
        const std::size_t hand = schedule.join();
        while (schedule.next(hand)) {
          EXPECT_TRUE(both.come());
          if (std::this_thread::get_id() != owner) {
            std::this_thread::sleep_for(1ms);
            continue;
          }
          has_thrown = true;
          throw std::runtime_error("bad");
        }
        helper_ended = has_thrown.load();
      });
    });
  });
  EXPECT_EQ(error, "bad");
  EXPECT_TRUE(helper_ended);
}

TEST(Crew, AnErrorInAJobEndsTheOthersAtTheirNextStep) {
  Crew crew(2);
  std::atomic<std::size_t> begun = 0;
  std::atomic<bool> has_thrown = false;
  const std::string error = error_of([&] {
    crew.run(100'000, [&](std::size_t i) {
      ++begun;
      if (i == 3) {
        has_thrown = true;
        throw std::runtime_error("bad");
      }
      // Those behind it cannot overtake it.
      while (i > 3 && !has_thrown) std::this_thread::yield();
      std::this_thread::sleep_for(1ms);
    });
  });
  EXPECT_EQ(error, "bad");
  EXPECT_LT(begun, 100'000U);
}

}  // namespace
}  // namespace niah
