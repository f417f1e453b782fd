#include "harness/engine/local/worker_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace niah {
namespace {

using namespace std::chrono_literals;

WorkStealingSchedule separate_prompts(std::size_t count) {
  std::vector<ScheduledPrompt> prompts;
  for (std::size_t i = 0; i < count; ++i) prompts.push_back({.prompt = i, .last_return = true});
  return {std::vector<PromptIds>(count, PromptIds(10)), std::move(prompts),
          [](std::int64_t begin, std::int64_t end) { return static_cast<double>(end - begin); }};
}

/// A barrier that holds threads until the given number has arrived, so that tests do not depend on
/// the threads' speed. Gives up after a minute.
class Meeting {
 public:
  explicit Meeting(std::size_t threads) : threads_(threads) {}
  /// Waits for the others; returns whether all arrived.
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

/// Calls `work` in this thread while `helpers` other threads help the pool. Returns the message of
/// the exception that it throws, or "no error".
template <typename Work>
std::string error_with_helpers(WorkerPool& pool, int helpers, const Work& work) {
  std::stop_source over;
  std::vector<std::jthread> threads;
  for (int i = 0; i < helpers; ++i) threads.emplace_back([&] { pool.help(over.get_token()); });
  std::string error = "no error";
  try {
    work();
  } catch (const std::runtime_error& thrown) {
    error = thrown.what();
  }
  over.request_stop();
  return error;
}

TEST(WorkerPool, ThreadsWithoutAListHelp) {
  WorkerPool pool(3);
  std::mutex lock;
  std::set<std::size_t> read;
  std::set<std::thread::id> readers;
  Meeting all_three(3);
  error_with_helpers(pool, 2, [&] {
    WorkStealingSchedule schedule = separate_prompts(30);
    pool.share(schedule, [&] {
      const std::size_t worker = schedule.join();
      while (const auto prompt = schedule.next(worker)) {
        EXPECT_TRUE(all_three.come());
        const std::lock_guard guard(lock);
        EXPECT_TRUE(read.insert(prompt->prompt).second);
        readers.insert(std::this_thread::get_id());
      }
    });
    EXPECT_EQ(read.size(), 30U) << "share returns when all are through";
  });
  EXPECT_EQ(readers.size(), 3U);
}

TEST(WorkerPool, NoMoreThreadsReadThanThereAreWorkers) {
  WorkerPool pool(2);
  std::atomic<int> reading = 0, most = 0;
  const auto share_one = [&] {
    WorkStealingSchedule schedule = separate_prompts(20);
    pool.share(schedule, [&] {
      const std::size_t worker = schedule.join();
      while (schedule.next(worker)) {
        most = std::max(most.load(), ++reading);
        std::this_thread::sleep_for(1ms);
        --reading;
      }
    });
    EXPECT_TRUE(schedule.unread().empty());
  };
  error_with_helpers(pool, 2, [&] {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 3; ++i) callers.emplace_back(share_one);
  });
  EXPECT_LE(most, 2);
}

TEST(WorkerPool, AHelpersErrorEndsTheListAndIsTheOneReported) {
  WorkerPool pool(2);
  Meeting both(2);
  std::atomic<int> helpers = 0, left = 0;
  // Every reading thread other than the owner is a helper.
  const std::thread::id owner = std::this_thread::get_id();
  const std::string error = error_with_helpers(pool, 1, [&] {
    WorkStealingSchedule schedule = separate_prompts(100'000);
    pool.share(schedule, [&] {
      const std::size_t worker = schedule.join();
      while (schedule.next(worker)) {
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
    ADD_FAILURE() << "went on after the error";
  });
  EXPECT_EQ(error, "no room on the disk");
  EXPECT_EQ(helpers, 1);
  EXPECT_GT(left, 0) << "the owner read to the end";
}

TEST(WorkerPool, TheOwnersErrorStopsItsHelpers) {
  WorkerPool pool(2);
  Meeting both(2);
  std::atomic<bool> has_thrown = false, helper_ended = false;
  const std::thread::id owner = std::this_thread::get_id();
  const std::string error = error_with_helpers(pool, 1, [&] {
    WorkStealingSchedule schedule = separate_prompts(100'000);
    pool.share(schedule, [&] {
      const std::size_t worker = schedule.join();
      while (schedule.next(worker)) {
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
  EXPECT_EQ(error, "bad");
  EXPECT_TRUE(helper_ended);
}

TEST(WorkerPool, HelpEndsWhenItIsTold) {
  WorkerPool pool(2);
  EXPECT_EQ(error_with_helpers(pool, 2, [] {}), "no error");
}

}  // namespace
}  // namespace niah
