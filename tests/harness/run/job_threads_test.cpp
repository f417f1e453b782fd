#include "harness/run/job_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

namespace niah {
namespace {

using namespace std::chrono_literals;

/// Jobs `first` to `first` + `count` - 1.
JobQueue queue_of(std::size_t first, std::size_t count, std::int64_t threads) {
  JobQueue queue{.jobs = {}, .threads = threads, .afterwards = {}};
  for (std::size_t i = 0; i < count; ++i) queue.jobs.push_back(first + i);
  return queue;
}

TEST(JobThreads, DoEveryJobOnce) {
  for (const std::int64_t threads : {1, 3}) {
    std::vector<std::atomic<int>> done(30);
    run_jobs({queue_of(0, 20, threads), queue_of(20, 10, threads)}, {},
             [&](std::size_t i) { ++done[i]; });
    for (const auto& times : done) EXPECT_EQ(times, 1);
    run_jobs({queue_of(0, 0, threads)}, {}, [](std::size_t) { FAIL(); });
  }
}

TEST(JobThreads, OneThreadIsTheCallerItself) {
  run_jobs({queue_of(0, 3, 1)}, {}, [caller = std::this_thread::get_id()](std::size_t) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
  });
}

TEST(JobThreads, WhoHasNothingLeftWaitsUntilAllIsDone) {
  std::mutex lock;
  std::set<std::thread::id> waited;
  std::atomic<int> done = 0;
  JobQueue queue = queue_of(0, 5, 3);
  queue.afterwards = [&](const std::stop_token& until) {
    while (!until.stop_requested()) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(done, 5);
    const std::lock_guard guard(lock);
    waited.insert(std::this_thread::get_id());
  };
  run_jobs({queue}, {}, [&](std::size_t) {
    std::this_thread::sleep_for(2ms);
    ++done;
  });
  EXPECT_EQ(waited.size(), 3U);
}

TEST(JobThreads, TheFirstErrorEndsTheOthersAndIsThrown) {
  std::atomic<std::size_t> begun = 0;
  const std::stop_source failed;
  std::string error = "no error";
  try {
    run_jobs({queue_of(0, 50'000, 2), queue_of(50'000, 50'000, 1)}, failed, [&](std::size_t i) {
      ++begun;
      if (i == 3) throw std::runtime_error("bad");
      // Hold back the jobs after the failing one until the failure is known.
      while (i > 3 && !failed.stop_requested()) std::this_thread::yield();
    });
  } catch (const std::runtime_error& thrown) {
    error = thrown.what();
  }
  EXPECT_EQ(error, "bad");
  EXPECT_LT(begun, 10U);
}

}  // namespace
}  // namespace niah
