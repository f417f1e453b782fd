// What a run does with any engine: resuming, shards, errors, outcomes, several engines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <thread>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/sha256.h"
#include "harness/plan/plan.h"
#include "harness/plan/run_mark.h"
#include "tests/harness/run/fake_run.h"
#include "tests/refusal.h"

namespace niah {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

using RunSweep = FakeRun;

/// Answers right `count` times, counted over all threads, then by `otherwise`.
Script after(int count, Script otherwise) {
  const auto said = std::make_shared<std::atomic<int>>(0);
  return [=](const Asked& asked) { return (*said)++ < count ? right(asked) : otherwise(asked); };
}

TEST_F(RunSweep, RecordsEveryAnswerScored) {
  const reports::Report report = run({one_engine()});
  EXPECT_EQ(report.results.cells.size(), 2U);
  const auto all = records();
  ASSERT_EQ(all.size(), 8U);
  for (const reports::Record& record : all) {
    EXPECT_EQ(record.score, 1);
    EXPECT_EQ(record.miss, "hit");
    EXPECT_EQ(record.task, "s1");
    EXPECT_EQ(record.length, 1024);
    EXPECT_EQ(record.text, " " + record.expected.front());
    EXPECT_FALSE(record.ids.empty());
    EXPECT_EQ(record.value_log_prob, -0.5);
    EXPECT_EQ(record.value_rank, 1);
    EXPECT_EQ(record.computed_tokens, 7);
  }
  EXPECT_THAT(by_variant(), ElementsAre(Pair("fingerprint-base", 4), Pair("fingerprint-sft", 4)));
  EXPECT_TRUE(std::filesystem::exists(out() / "report.html"));
  EXPECT_EQ(read_plan(out()).machine, "made up");
}

TEST_F(RunSweep, OtherDepthsAreAnotherRun) {
  run({one_engine()});
  EXPECT_THAT(read_plan(out()).haystack, testing::MatchesRegex("prose [0-9a-f]{16}"))
      << "as it always was";
  const SweepConfig given = sweep({{"depths", "[10, 90]"}});
  EXPECT_THAT(refusal_of<UsageError>([&] { run({one_engine()}, given); }),
              HasSubstr("depths 10% 90%"));
  std::filesystem::remove_all(out());
  run({one_engine()}, given);
  std::multiset<double> depths;
  for (const reports::Record& record : records()) depths.insert(record.depth);
  EXPECT_EQ(depths, (std::multiset<double>{10, 10, 10, 10, 90, 90, 90, 90}));
  EXPECT_THAT(read_plan(out()).haystack, testing::EndsWith(", depths 10% 90%"));
}

TEST_F(RunSweep, VariantsMayBeAddedAndOnlyTheyAreAsked) {
  run({one_engine()});
  const SweepConfig more = sweep({{"models.0.variants", "[base, qk, sft]"}});
  const FakeSpec with_qk{.groups = {{"base", "qk", "sft"}}};
  run({with_qk}, more);
  EXPECT_EQ(with_qk.log->answers(), 4);
  EXPECT_THAT(by_variant(), ElementsAre(Pair("fingerprint-base", 4), Pair("fingerprint-qk", 4),
                                        Pair("fingerprint-sft", 4)));
  EXPECT_EQ(read_plan(out()).variants.size(), 3U);
  EXPECT_THAT(refusal_of<UsageError>([&] { run({one_engine()}); }),
              HasSubstr("variants was m base, m qk, m sft, is now m base, m sft"));
  EXPECT_THAT(refusal_of<UsageError>([&] {
                run({FakeSpec{.groups = {{"base", "v", "sft"}}}},
                    sweep({{"models.0.variants", "[base, v, sft]"}}));
              }),
              HasSubstr("is now m base, m v, m sft"))
      << "another in the place of one";
}

TEST_F(RunSweep, CountsMayDifferByTask) {
  run({one_engine()}, sweep({{"tasks", "[s1, s2]"}, {"samples", "{s1: 1, s2: 3}"}}));
  std::map<std::string, int> counts;
  for (const reports::Record& record : records()) ++counts[record.task];
  EXPECT_THAT(counts, ElementsAre(Pair("s1", 2), Pair("s2", 6)));
}

TEST_F(RunSweep, ALongAnswerKeepsThePromptWithinItsLength) {
  run({one_engine()}, sweep({{"generation.max_new_tokens", "400"}}));
  for (const reports::Record& record : records()) {
    EXPECT_EQ(record.length, 1024);
    EXPECT_LE(record.prompt_tokens + 400, 1024);
    EXPECT_GT(record.prompt_tokens + 400, 900);
  }
}

TEST_F(RunSweep, AnEngineIsGivenWhatTheModelReads) {
  run({one_engine([](const Asked& asked) {
    EXPECT_FALSE(asked.request.ids.empty());
    EXPECT_THAT(asked.request.text(), HasSubstr("magic number"));
    EXPECT_FALSE(asked.request.expected_ids.empty());
    EXPECT_FALSE(asked.request.is_thinking) << "thoughts have no room of their own";
    EXPECT_TRUE(asked.request.is_decided(asked.request.expected_text));
    EXPECT_FALSE(asked.request.is_decided(" The special"));
    return right(asked);
  })});
}

TEST_F(RunSweep, AnEngineMayKnowTheTextAlone) {
  FakeSpec served = one_engine([](const Asked& asked) {
    return Answer{.id = asked.id, .text = asked.request.expected_text, .hit_limit = true};
  });
  served.capabilities = {.takes_token_ids = false, .gives_log_probs = false};
  run({served});
  for (const reports::Record& record : records()) {
    EXPECT_EQ(record.score, 1);
    EXPECT_TRUE(record.ids.empty());
    EXPECT_FALSE(record.value_log_prob) << "never made up";
    EXPECT_FALSE(record.value_rank);
  }
}

TEST_F(RunSweep, InterruptedItKeepsWhatIsDoneAndGoesOnFromThere) {
  const auto interrupt = [](const Asked&) -> Answer { throw Interrupted("interrupted"); };
  EXPECT_THROW(run({one_engine(after(3, interrupt))}), Interrupted);
  const auto before = records();
  EXPECT_EQ(before.size(), 3U);
  EXPECT_FALSE(std::filesystem::exists(out() / "results.json"));

  const FakeSpec second = one_engine();
  const reports::Report report = run({second});
  EXPECT_EQ(second.log->answers(), 5) << "nothing is asked twice";
  EXPECT_EQ(records().size(), 8U);
  EXPECT_EQ(report.results.cells.at(0).n, 4);

  const FakeSpec third = one_engine();
  run({third});
  EXPECT_EQ(third.log->answers(), 0);
}

TEST_F(RunSweep, WhatAnEngineThrowsEndsTheRunWithItsWords) {
  const auto refuse = [](const Asked&) -> Answer { throw DataError("401: who are you?"); };
  EXPECT_EQ(refusal_of([&] { run({one_engine(after(2, refuse))}); }), "401: who are you?");
  EXPECT_EQ(records().size(), 2U);
  EXPECT_EQ(run({one_engine()}).results.cells.at(0).n, 4) << "the folder stays usable";
}

TEST_F(RunSweep, IsMarkedAsUnfinishedUntilItEndsWellAlsoWithNothingLeftToAsk) {
  const auto mark = [&] { return read_last_run(out()).value(); };
  run({one_engine([&](const Asked& asked) {
    EXPECT_FALSE(mark().ended_well()) << "a kill leaves it so";
    return right(asked);
  })});
  EXPECT_TRUE(mark().ended_well());
  EXPECT_EQ(mark().config_sha256, sha256_hex(read_plan(out()).config_json));
  const auto refuse = [](const Asked&) -> Answer { throw DataError("who are you?"); };
  EXPECT_THROW(run({one_engine(refuse)}, sweep({{"samples", "6"}})), DataError);
  EXPECT_FALSE(mark().ended_well());
  run({one_engine()}, sweep({{"samples", "6"}}));
  EXPECT_TRUE(mark().ended_well());
  mark_begun(out());
  const FakeSpec idle = one_engine();
  run({idle}, sweep({{"samples", "6"}}));
  EXPECT_EQ(idle.log->answers(), 0);
  EXPECT_TRUE(mark().ended_well()) << "a run that stands complete was run tonight";
}

TEST_F(RunSweep, ANewFolderThatIsRefusedStaysEmpty) {
  const FakeSpec twice{.groups = {{"base"}}};
  EXPECT_THROW(run({twice, twice}), UsageError);
  EXPECT_TRUE(std::filesystem::is_empty(out()));
}

TEST_F(RunSweep, AnEngineThatAnswersTwiceIsABugThatComesThroughIt) {
  const auto to_the_first = [](const Asked& asked) {
    Answer answer = right(asked);
    answer.id.request = 0;
    return answer;
  };
  EXPECT_THAT(refusal_of<std::logic_error>([&] { run({one_engine(to_the_first)}); }),
              HasSubstr("an engine gives each answer once"));
  EXPECT_EQ(records().size(), 2U);
}

TEST_F(RunSweep, WhatCouldNotBeMeasuredIsAnOutcomeOfItsOwn) {
  run({one_engine([](const Asked& asked) {
    if (asked.id.variant == 0) return right(asked);
    if (asked.id.request == 0) return failed(asked, "not_finite", "a logit was NaN or infinite");
    if (asked.id.request == 1) return failed(asked, "cut", "the server read 900 of 1000 tokens");
    return wrong(asked);
  })});
  EXPECT_THAT(outcomes(), ElementsAre(Pair("cut", 1), Pair("not_finite", 1), Pair("scored", 6)));
  for (const reports::Record& record : records()) {
    if (record.scored()) continue;
    EXPECT_EQ(record.score, 0);
    EXPECT_TRUE(record.text.empty());
    EXPECT_FALSE(record.detail.empty());
  }
}

TEST_F(RunSweep, OutOfMemoryIsAskedAgainWhenTheRunGoesOn) {
  const FakeSpec first = one_engine([](const Asked& asked) {
    const bool fits = asked.id.request != 2;
    return fits ? right(asked) : failed(asked, "oom", "out of memory while decoding");
  });
  run({first});
  EXPECT_EQ(first.log->calls().size(), 1U) << "decoding has had its second try in the engine";
  EXPECT_THAT(outcomes(), ElementsAre(Pair("oom", 2), Pair("scored", 6)));
  const FakeSpec second = one_engine();
  run({second});
  EXPECT_EQ(second.log->answers(), 2);
}

TEST_F(RunSweep, WhatAServerDidNotAnswerIsAskedAgainWhenTheRunGoesOn) {
  constexpr std::array<const char*, 3> kOutcomes = {"failed", "cut", "refused"};
  const FakeSpec first = one_engine([&](const Asked& asked) {
    return asked.id.request < kOutcomes.size() && asked.id.variant == 1
               ? failed(asked, kOutcomes.at(asked.id.request), "in its words")
               : right(asked);
  });
  EXPECT_EQ(run({first}).results.cells.at(1).n, 1);
  const FakeSpec second = one_engine();
  const reports::Report report = run({second});
  EXPECT_EQ(second.log->answers(), 3);
  EXPECT_EQ(report.results.cells.at(1).n, 4) << "what is known at last counts";
  EXPECT_TRUE(report.results.cells.at(1).unmeasured.empty());
}

TEST_F(RunSweep, VariantsAreShownInTheSweepsOrderWhicheverEngineHasThem) {
  const FakeSpec other{.groups = {{"sft"}}}, first{.groups = {{"base"}}};
  EXPECT_EQ(run({other, first}).results.cells.at(0).variant, "fingerprint-base");
  const reports::RunInfo info = read_plan(out());
  ASSERT_EQ(info.variants.size(), 2U);
  EXPECT_EQ(info.variants[0].name, "base");
  EXPECT_EQ(info.variants[1].name, "sft");
}

/// The samples that have a record.
std::set<std::int64_t> indexes_of(const std::vector<reports::Record>& records) {
  std::set<std::int64_t> indexes;
  for (const reports::Record& record : records) indexes.insert(record.index);
  return indexes;
}

TEST_F(RunSweep, AShardAsksItsOwnSamples) {
  run({one_engine()}, sweep(), 2, 3);
  const auto shard = read_plan(out()).shard;
  ASSERT_TRUE(shard);
  EXPECT_EQ(shard->number, 2);
  EXPECT_EQ(shard->of, 3);
  std::set<std::int64_t> own, all;
  for (const reports::ShardPart& part : shard->parts) {
    all.insert(part.indexes.begin(), part.indexes.end());
    if (part.shard == 2) own.insert(part.indexes.begin(), part.indexes.end());
  }
  EXPECT_EQ(all.size(), 4U) << "the plan knows the samples of all shards";
  EXPECT_FALSE(own.empty());
  EXPECT_EQ(indexes_of(records()), own);
  EXPECT_EQ(records().size(), 2 * own.size()) << "of both variants";
  EXPECT_THAT(refusal_of<UsageError>([&] {
                run({one_engine()}, sweep({{"samples", "{max: 50, half_width: 0.1}"}}), 2, 3);
              }),
              HasSubstr("--shard: with samples.half_width"));
}

TEST_F(RunSweep, AShardOfAnEarlierVersionGoesOnWithItsSamples) {
  const auto interrupt = [](const Asked&) -> Answer { throw Interrupted("interrupted"); };
  EXPECT_THROW(run({one_engine(interrupt)}, sweep(), 2, 3), Interrupted);
  reports::RunInfo begun = read_plan(out());
  begun.shard = reports::Shard{2, 3};
  write_file(out() / "plan.json", nlohmann::json(begun).dump());
  run({one_engine()}, sweep(), 2, 3);
  EXPECT_EQ(indexes_of(records()), (std::set<std::int64_t>{1}));
  EXPECT_EQ(read_plan(out()).shard, (reports::Shard{2, 3}));
}

TEST_F(RunSweep, AShardOfASweepThatHasGrownIsSharedOutAnew) {
  run({one_engine()}, sweep(), 1, 2);
  const std::set<std::int64_t> before = indexes_of(records());
  testing::internal::CaptureStderr();
  run({one_engine()}, sweep({{"samples", "12"}}), 1, 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("its samples are shared out anew"));
  const std::set<std::int64_t> after = indexes_of(records());
  EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
  EXPECT_GT(after.size(), before.size());
}

TEST_F(RunSweep, WarningsAreSaidAndKept) {
  FakeSpec engine = one_engine();
  engine.warnings = {"m: its template is unknown"};
  testing::internal::CaptureStderr();
  run({engine});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("warning: m: its template is unknown\n"));
  EXPECT_THAT(read_plan(out()).caveats, testing::Contains("m: its template is unknown"));
}

TEST_F(RunSweep, VariantsOfOneFingerprintAreRefused) {
  EXPECT_THAT(refusal_of<UsageError>([&] {
                run({{.groups = {{"base"}}}, {.groups = {{"base"}}}});
              }),
              HasSubstr("'m base' and 'm base' are the same"));
}

// ---------------------------------------------------------------------------------- two engines

TEST_F(RunSweep, TwoEnginesAnswerOneSweep) {
  const FakeSpec local{.groups = {{"base"}}};
  const FakeSpec served{.groups = {{"sft"}}, .script = wrong};
  const reports::Report report = run({local, served});
  EXPECT_EQ(local.log->answers(), 4);
  EXPECT_EQ(served.log->answers(), 4);
  EXPECT_THAT(by_variant(), ElementsAre(Pair("fingerprint-base", 4), Pair("fingerprint-sft", 4)));
  ASSERT_EQ(report.results.cells.size(), 2U);
  EXPECT_EQ(report.results.cells[0].hits, 4);
  EXPECT_EQ(report.results.cells[1].hits, 0);
}

/// A gate that one thread opens and others wait for. Gives up after a minute.
class Gate {
 public:
  void open() {
    const std::lock_guard guard(lock_);
    is_open_ = true;
    changed_.notify_all();
  }
  /// Waits until the gate is open; returns whether it was opened.
  bool wait() {
    std::unique_lock guard(lock_);
    return changed_.wait_for(guard, 60s, [&] { return is_open_; });
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  bool is_open_ = false;
};

TEST_F(RunSweep, ASlowEngineHoldsNoOtherUp) {
  Gate quick_is_through;
  const FakeSpec slow{.groups = {{"base"}}, .script = [&](const Asked& asked) {
                        EXPECT_TRUE(quick_is_through.wait());
                        return right(asked);
                      }};
  std::atomic<int> said = 0;
  const FakeSpec quick{.groups = {{"sft"}}, .script = [&](const Asked& asked) {
                         if (++said == 8) quick_is_through.open();
                         return right(asked);
                       }};
  run({slow, quick}, sweep({{"lengths", "[1K, 2K]"}}));
  EXPECT_EQ(records().size(), 16U);
}

TEST_F(RunSweep, OneEnginesErrorStopsTheOther) {
  Gate both_ask;
  const FakeSpec long_one{.groups = {{"base"}}, .script = [&](const Asked& asked) {
                            both_ask.open();
                            while (!asked.list.stop.stop_requested())
                              std::this_thread::sleep_for(1ms);
                            return right(asked);
                          }};
  const FakeSpec broken{.groups = {{"sft"}}, .script = [&](const Asked&) -> Answer {
                          EXPECT_TRUE(both_ask.wait());
                          throw DataError("gone");
                        }};
  EXPECT_EQ(refusal_of([&] { run({long_one, broken}); }), "gone");
  EXPECT_EQ(long_one.log->answers(), 1) << "what was begun is kept, and nothing more begun";
  EXPECT_EQ(records().size(), 1U);
}

}  // namespace
}  // namespace niah
