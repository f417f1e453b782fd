// How many requests are in flight at once, and how asking is interrupted.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "tests/harness/engine/served/served_engine_fixture.h"

namespace niah::served {
namespace {

using RequestsInFlightTest = ServedEngineTest;

/// A repeating barrier: holds arrivals until `together` of them have arrived.
class Rendezvous {
 public:
  explicit Rendezvous(int together) : together_(together) {}
  void join() {
    std::unique_lock guard(lock_);
    const int round = arrived_++ / together_ + 1;
    changed_.notify_all();
    const bool is_full = changed_.wait_for(guard, std::chrono::seconds(20),
                                           [&] { return arrived_ >= round * together_; });
    if (!is_full) ++missed_;
  }
  int missed() const { return missed_; }

 private:
  const int together_;
  std::mutex lock_;
  std::condition_variable changed_;
  int arrived_ = 0;
  std::atomic<int> missed_ = 0;
};

TEST_F(RequestsInFlightTest, AsManyAreInFlightAsMayBeAllTheTime) {
  constexpr int kTogether = 64, kRounds = 4;
  Rendezvous rendezvous(kTogether);
  serve([&](const SeenRequest& seen) {
    rendezvous.join();
    return GoodServer{}(seen);
  });
  config_.concurrency = kTogether;
  config_.timeout = 120;
  Request asked = request();
  asked.is_decided = nullptr;
  for (const Answer& answer : ask(std::vector<Request>(kRounds * kTogether, asked)))
    EXPECT_FALSE(answer.failure);
  EXPECT_EQ(rendezvous.missed(), 0);
  EXPECT_LE(server().connections(), 64U);
}

TEST_F(RequestsInFlightTest, TwoListsShareThePlaces) {
  config_.concurrency = 3;
  std::atomic<int> inside = 0, most = 0;
  serve([&](const SeenRequest& seen) {
    const int now = ++inside;
    for (int known = most; known < now && !most.compare_exchange_weak(known, now);) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    --inside;
    return GoodServer{}(seen);
  });
  engine();
  {
    const std::jthread other([&] { ask(requests(8)); });
    ask(requests(8));
  }
  EXPECT_EQ(server().requests().size(), 16U);
  EXPECT_LE(most, 3);
}

TEST_F(RequestsInFlightTest, AStopAbandonsWhatIsInFlight) {
  config_.concurrency = 4;
  serve([](const SeenRequest&) { return stalls_at_once(); });
  std::stop_source stop;
  const std::jthread later([&] {
    while (server().requests().size() < 4)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    stop.request_stop();
  });
  const auto begin = std::chrono::steady_clock::now();
  for (const Answer& answer : ask(requests(10), stop.get_token())) EXPECT_EQ(answer.text, "-");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(server().requests().size(), 4U);
}

void ask_until_interrupted() {
  std::atomic<int> stalled = 0;
  MisbehavingServer server([&](const SeenRequest& seen) {
    if (seen.number < 3) return GoodServer{}(seen);
    ++stalled;
    return stalls_at_once();
  });
  install_interrupt_handler();
  const ByteTokenizer tokenizer;
  ServedConfig config;
  config.url = server.url();
  config.model = "m";
  OpenAiEngine engine(config, "", tokenizer);
  std::chrono::steady_clock::time_point pressed;
  const std::jthread user([&] {
    while (stalled < 8) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    pressed = std::chrono::steady_clock::now();
    std::raise(SIGINT);
  });
  std::atomic<int> given = 0;
  try {
    engine.answer({.group = 0, .requests = ServedEngineTest::requests(40)},
                  [&](const Answer&) { ++given; });
  } catch (const Interrupted&) {
    const auto waited = std::chrono::steady_clock::now() - pressed;
    std::_Exit(given == 3 && waited < std::chrono::seconds(2) ? 0 : 1);
  }
  std::_Exit(2);
}

// In its own process, since an interrupt cannot be undone.
TEST(RequestsInFlightDeathTest, AnInterruptReturnsWithinTwoSeconds) {
  EXPECT_EXIT(ask_until_interrupted(), testing::ExitedWithCode(0), "");
}

TEST_F(RequestsInFlightTest, WhatTheSinkThrowsEndsTheList) {
  config_.concurrency = 2;
  serve([good = GoodServer{}](const SeenRequest& seen) {
    return seen.number == 0 ? good(seen) : stalls_at_once();
  });
  RequestList list{.group = 0, .requests = requests(10)};
  EXPECT_THROW(
      engine().answer(std::move(list), [](const Answer&) { throw DataError("the disk is full"); }),
      DataError);
}

}  // namespace
}  // namespace niah::served
