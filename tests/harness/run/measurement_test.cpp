// The request lists that engines are given: retries, cells that end early, several lists at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "harness/base/error.h"
#include "tests/harness/run/fake_run.h"

namespace niah {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;

using Measured = FakeRun;

/// An engine that takes two lists at once.
FakeSpec two_at_once(Script script) {
  FakeSpec spec = one_engine(std::move(script));
  spec.capabilities.lists_at_once = 2;
  return spec;
}

Answer unread(const Asked& asked) { return failed(asked, "oom", "no room for the prompt", true); }

TEST_F(Measured, WhatFoundNoMemoryBesideOthersIsAskedOnceMoreAlone) {
  const FakeSpec engine = two_at_once([](const Asked& asked) {
    return asked.list.is_alone || asked.id.request != 1 ? right(asked) : unread(asked);
  });
  run({engine});
  EXPECT_THAT(outcomes(), ElementsAre(Pair("scored", 8)));
  const auto calls = engine.log->calls();
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_FALSE(calls[0].is_alone);
  EXPECT_TRUE(calls[1].is_alone);
  EXPECT_EQ(calls[1].requests, 1U) << "what was answered is not asked again";
}

TEST_F(Measured, WhatFindsNoMemoryAloneIsRecordedAsSuch) {
  const FakeSpec engine = two_at_once(
      [](const Asked& asked) { return asked.id.request == 0 ? unread(asked) : right(asked); });
  run({engine});  // when asked again alone, the request is again the first of its list
  EXPECT_THAT(outcomes(), ElementsAre(Pair("oom", 2), Pair("scored", 6)));
  EXPECT_EQ(engine.log->calls().size(), 2U);
  for (const reports::Record& record : records())
    EXPECT_EQ(record.detail, record.scored() ? "" : "no room for the prompt");
}

TEST_F(Measured, ASecondTryIsLeftOutWhereNothingWasBesideIt) {
  const FakeSpec engine = one_engine(unread);
  run({engine});
  EXPECT_THAT(outcomes(), ElementsAre(Pair("oom", 8)));
  EXPECT_EQ(engine.log->calls().size(), 1U);
}

TEST_F(Measured, LengthsThatDoNotFitAsOneListAreAskedOneByOne) {
  FakeSpec engine = one_engine([](const Asked& asked) {
    return asked.list.requests.size() > 4 ? unread(asked) : right(asked);
  });
  engine.capabilities.shares_prefixes = true;
  run({engine}, sweep({{"lengths", "[1K, 2K]"}}));
  EXPECT_THAT(outcomes(), ElementsAre(Pair("scored", 16)));
  const auto calls = engine.log->calls();
  ASSERT_EQ(calls.size(), 3U);
  EXPECT_EQ(calls[0].requests, 8U) << "both lengths in one list";
  EXPECT_EQ(calls[1].requests, 4U);
  EXPECT_EQ(calls[2].requests, 4U);
}

TEST_F(Measured, LengthsStayApartForAnEngineThatSharesNothing) {
  const FakeSpec engine = one_engine();
  run({engine}, sweep({{"lengths", "[1K, 2K]"}}));
  EXPECT_EQ(engine.log->calls().size(), 2U);
}

TEST_F(Measured, EveryGroupGetsItsOwnLists) {
  const FakeSpec engine{.groups = {{"base"}, {"sft"}}};
  run({engine});
  const auto calls = engine.log->calls();
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[0].group, 0U);
  EXPECT_EQ(calls[1].group, 1U);
  EXPECT_THAT(by_variant(), ElementsAre(Pair("fingerprint-base", 4), Pair("fingerprint-sft", 4)));
}

TEST_F(Measured, AnEngineGetsAsManyListsAtOnceAsItLikes) {
  std::mutex lock;
  std::condition_variable changed;
  std::set<std::thread::id> threads;
  FakeSpec engine = one_engine([&](const Asked& asked) {
    std::unique_lock guard(lock);
    threads.insert(std::this_thread::get_id());
    changed.notify_all();
    EXPECT_TRUE(changed.wait_for(guard, 60s, [&] { return threads.size() >= 3; }));
    return right(asked);
  });
  engine.capabilities.lists_at_once = 3;
  run({engine}, sweep({{"lengths", "[1K, 2K, 3K]"}}));
  EXPECT_EQ(threads.size(), 3U);
  EXPECT_EQ(records().size(), 24U);
}

// ------------------------------------------------------------------------- cells that end early

const Overrides kAdaptive = {{"samples", "{max: 120, half_width: 0.1}"}};

TEST_F(Measured, ACellEndsWhenAllVariantsAreKnownWellEnough) {
  const FakeSpec engine = one_engine();
  run({engine}, sweep(kAdaptive));
  EXPECT_THAT(by_variant(), ElementsAre(Pair("fingerprint-base", 25), Pair("fingerprint-sft", 25)));
}

/// Every second answer is wrong, so that an interval of ±10 points needs about 90 samples.
Answer by_halves(const Asked& asked) {
  return asked.id.request % 2 == 0 ? right(asked) : wrong(asked);
}

TEST_F(Measured, TheLeastKnownVariantDecidesAlsoWhenItIsAnotherEngines) {
  const FakeSpec known{.groups = {{"base"}}};
  const FakeSpec unsure{.groups = {{"sft"}}, .script = by_halves};
  run({known, unsure}, sweep(kAdaptive));
  EXPECT_THAT(by_variant(),
              ElementsAre(Pair("fingerprint-base", 112), Pair("fingerprint-sft", 112)));
  EXPECT_EQ(known.log->calls().size(), 4U) << "looks at 25, 50, 75, 112";
}

TEST_F(Measured, AVariantThatCannotBeMeasuredIsNotWaitedFor) {
  const FakeSpec known{.groups = {{"base"}}};
  const FakeSpec broken{.groups = {{"sft"}}, .script = [](const Asked& asked) {
                          return failed(asked, "failed", "503");
                        }};
  run({known, broken}, sweep(kAdaptive));
  EXPECT_THAT(by_variant(), ElementsAre(Pair("fingerprint-base", 25), Pair("fingerprint-sft", 25)));
}

/// Half of all values are found, whichever list they are in.
Answer by_value(const Asked& asked) {
  return (asked.request.expected_text.back() - '0') % 2 == 0 ? right(asked) : wrong(asked);
}

TEST_F(Measured, TheEndOfACellDoesNotDependOnWhereARunWasStopped) {
  using Key = std::tuple<std::string, std::int64_t, double>;
  const auto keys = [&] {
    std::set<Key> found;
    for (const reports::Record& record : records())
      EXPECT_TRUE(found.emplace(record.variant, record.index, record.score).second);
    return found;
  };
  const std::vector<std::vector<std::string>> groups = {{"base"}, {"sft"}};
  run({{.groups = groups, .script = by_value}}, sweep(kAdaptive));
  const auto whole = keys();
  std::filesystem::remove_all(out());

  std::atomic<int> said = 0;
  const auto stop_at_60 = [&](const Asked& asked) {
    if (++said > 60) throw Interrupted("interrupted");
    return by_value(asked);
  };
  EXPECT_THROW(run({{.groups = groups, .script = stop_at_60}}, sweep(kAdaptive)), Interrupted);
  EXPECT_EQ(records().size(), 60U);
  run({{.groups = groups, .script = by_value}}, sweep(kAdaptive));
  EXPECT_EQ(keys(), whole);
}

}  // namespace
}  // namespace niah
