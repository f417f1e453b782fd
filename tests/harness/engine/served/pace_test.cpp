#include "harness/engine/served/pace.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>
#include <vector>

namespace niah::served {
namespace {

using std::chrono::steady_clock;

double seconds_of(const std::function<void()>& what) {
  const auto begin = steady_clock::now();
  what();
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

TEST(PauseBefore, DoublesFromTheFirstToTheLongest) {
  const PaceSettings settings{.jitter = [] { return 1.0; }};
  std::vector<double> pauses;
  for (std::int64_t next = 2; next <= 8; ++next)
    pauses.push_back(pause_before(next, std::nullopt, settings));
  EXPECT_EQ(pauses, (std::vector<double>{1, 2, 4, 8, 16, 30, 30}));
  EXPECT_EQ(pause_before(1'000'000'000, std::nullopt, settings), 30);
}

TEST(PauseBefore, IsAnyPartOfThatButNotLessThanTheServerAsks) {
  const PaceSettings none{.jitter = [] { return 0.0; }};
  const PaceSettings half{.jitter = [] { return 0.5; }};
  EXPECT_EQ(pause_before(4, std::nullopt, none), 0);
  EXPECT_EQ(pause_before(4, std::nullopt, half), 2);
  EXPECT_EQ(pause_before(4, 7.5, half), 7.5);
  EXPECT_EQ(pause_before(4, 1, half), 2);
  EXPECT_EQ(pause_before(4, 86'400, half), 120);
  EXPECT_EQ(pause_before(4, -5, none), 0);
}

TEST(PauseBefore, IsRandomOnItsOwn) {
  double least = 1, most = 0;
  for (int i = 0; i < 200; ++i) {
    const double pause = pause_before(2, std::nullopt, {});
    EXPECT_GE(pause, 0);
    EXPECT_LE(pause, 1);
    least = std::min(least, pause);
    most = std::max(most, pause);
  }
  EXPECT_LT(least, 0.5);
  EXPECT_GT(most, 0.5);
}

TEST(WaitSeconds, EndsWithTheStop) {
  EXPECT_TRUE(wait_seconds(0.001, {}));
  std::stop_source stop;
  const std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    stop.request_stop();
  });
  EXPECT_LT(seconds_of([&] { EXPECT_FALSE(wait_seconds(60, stop.get_token())); }), 10);
}

TEST(Pace, LetsAsManyInAsItMay) {
  Pace pace(3);
  std::atomic<int> inside = 0, most = 0, done = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 12; ++i)
      threads.emplace_back([&] {
        const auto slot = pace.begin({});
        const int now = ++inside;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        --inside;
        ++done;
      });
  }
  EXPECT_EQ(done, 12);
  EXPECT_LE(most, 3);
  EXPECT_EQ(pace.in_flight(), 0);
}

TEST(Pace, HalvesOnceAMomentAndNeverEnds) {
  Pace pace(8);
  for (int i = 0; i < 5; ++i) pace.overloaded({});
  EXPECT_EQ(pace.limit(), 4);
  Pace quick(8, {.between_halvings = 0});
  for (int i = 0; i < 5; ++i) quick.overloaded({});
  EXPECT_EQ(quick.limit(), 1);
  EXPECT_TRUE(quick.begin({}));
}

TEST(Pace, GrowsByOneAfterAsManyAnswers) {
  Pace pace(4, {.between_halvings = 0});
  pace.overloaded({});
  pace.overloaded({});
  ASSERT_EQ(pace.limit(), 1);
  std::vector<std::int64_t> limits;
  for (int i = 0; i < 12; ++i) {
    pace.answered();
    limits.push_back(pace.limit());
  }
  EXPECT_EQ(limits, (std::vector<std::int64_t>{2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4}));
}

TEST(Pace, BeginsNothingBeforeTheServerSaysSo) {
  Pace pace(4);
  pace.overloaded(0.05);
  EXPECT_GE(seconds_of([&] { EXPECT_TRUE(pace.begin({})); }), 0.05);
  Pace patient(4, {.longest_retry_after = 0.01});
  patient.overloaded(3600);
  EXPECT_LT(seconds_of([&] { EXPECT_TRUE(patient.begin({})); }), 60);
}

TEST(Pace, AStopEndsEveryWait) {
  Pace full(1), late(1);
  const auto slot = full.begin({});
  late.overloaded(60);
  std::stop_source stop;
  const double seconds = seconds_of([&] {
    const std::jthread a([&] { EXPECT_FALSE(full.begin(stop.get_token())); });
    const std::jthread b([&] { EXPECT_FALSE(late.begin(stop.get_token())); });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    stop.request_stop();
  });
  EXPECT_LT(seconds, 10);
  EXPECT_FALSE(full.begin(stop.get_token()));
}

TEST(Pace, ThoseThatWaitGetThePlacesThatBecomeFree) {
  Pace pace(2, {.between_halvings = 0});
  std::optional<Pace::Slot> first = pace.begin({});
  pace.overloaded(0.02);
  std::atomic<int> inside = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      const auto slot = pace.begin({});
      ++inside;
    });
  first.reset();
  threads.clear();
  EXPECT_EQ(inside, 4);
}

}  // namespace
}  // namespace niah::served
