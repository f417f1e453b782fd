#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "harness/base/utf8.h"
#include "tasks/needle/templates.h"
#include "tasks/protocol.h"
#include "tasks/scoring.h"
#include "tasks/task.h"
#include "tests/refusal.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

using testing::HasSubstr;

ProtocolSpec spec(TokenCount count = test::count_triples, bool add = false,
                  std::uint64_t seed = 5) {
  return {"niah", seed, test::prose(), std::move(count), add};
}

std::unique_ptr<Cell> cell(const std::string& task, std::int64_t length, std::int64_t samples = 100,
                           const ProtocolSpec& with = spec()) {
  return std::move(make_cells(with, {{task, length, samples}}).front());
}

/// The part of a UTF-8 text that `span` covers, in code points.
std::string cut(const std::string& text, Span span) {
  std::string out;
  std::int64_t at = -1;
  for (const char c : text) {
    if (begins_code_point(c)) ++at;
    if (at >= span.begin && at < span.end) out += c;
  }
  return out;
}

/// The tasks that hide needles; the others have tests of their own.
std::vector<std::string> needle_tasks() {
  std::vector<std::string> names = task_names("niah");
  std::erase_if(names, [](const std::string& name) {
    return find_task("niah", name).family != TaskFamily::kNeedle;
  });
  return names;
}

class EveryTask : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Niah, EveryTask, testing::ValuesIn(needle_tasks()),
                         [](const auto& info) { return info.param; });

TEST_P(EveryTask, FillsToWithinOneUnitAndNeverBeyond) {
  for (const std::int64_t length : {2000, 4096, 6001}) {
    const auto made = cell(GetParam(), length);
    for (const std::int64_t i : {0, 1, 2, 50, 99}) {
      const Sample sample = made->sample(i);
      EXPECT_EQ(sample.length, test::count_triples(sample.prompt()) + kGenerationTokens);
      EXPECT_LE(sample.length, length);
      EXPECT_GT(sample.length, length - 120) << "more than one sentence is missing";
    }
  }
}

TEST_P(EveryTask, SaysWhatIsTrueOfItself) {
  const auto made = cell(GetParam(), 3000);
  for (std::int64_t i = 0; i < 40; ++i) {
    const Sample sample = made->sample(i);
    EXPECT_EQ(sample.prompt(), sample.input + " " + sample.gen_prefix);
    EXPECT_EQ(sample.prompt_sha256, sha256_hex(sample.prompt()));
    EXPECT_EQ(sample.task, GetParam());
    EXPECT_EQ(sample.index, i);
    // The text contains the answers; if the needle is absent, it contains no value.
    EXPECT_EQ(string_match_all(sample.input, sample.outputs), 1);
    if (sample.outputs.empty()) continue;
    const std::string needle = cut(sample.prompt(), sample.needle);
    EXPECT_THAT(needle, testing::StartsWith("One of the special magic"));
    EXPECT_THAT(needle, testing::EndsWith(sample.outputs.front() + "."));
    EXPECT_NEAR(sample.real_depth, sample.depth, 8) << i;
  }
}

TEST(NiahProtocol, NeedleOfAbsentIsNotThere) {
  const Sample sample = cell("absent", 3000)->sample(3);
  EXPECT_TRUE(sample.outputs.empty());
  EXPECT_THAT(sample.input, testing::Not(HasSubstr("One of the special magic")));
}

TEST(NiahProtocol, ASampleIsAFunctionOfItsIdentityAlone) {
  const auto few = cell("s2", 3000, 5), many = cell("s2", 3000, 500);
  const auto among = make_cells(spec(), {{"s3", 2000, 7}, {"s1", 4096, 9}, {"s2", 3000, 50}});
  for (const std::int64_t i : {4, 0, 2}) {
    EXPECT_EQ(few->sample(i).prompt(), many->sample(i).prompt());
    EXPECT_EQ(few->sample(i).prompt(), among[2]->sample(i).prompt());
  }
  EXPECT_NE(few->sample(0).prompt(), few->sample(1).prompt());
  EXPECT_NE(few->sample(0).key,
            cell("s2", 3000, 5, spec(test::count_triples, false, 6))->sample(0).key);
  EXPECT_NE(few->sample(0).key, cell("s2", 3001)->sample(0).key);
}

TEST(NiahProtocol, ThreadsMakeTheSameSamples) {
  const auto made = cell("s3", 4096, 64);
  std::vector<std::string> expected(64);
  for (std::size_t i = 0; i < 64; ++i)
    expected[i] = made->sample(static_cast<std::int64_t>(i)).prompt_sha256;
  const auto fresh = cell("s3", 4096, 64);
  std::vector<std::string> found(64);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < 64; i += 4)
        found[63 - i] = fresh->sample(static_cast<std::int64_t>(63 - i)).prompt_sha256;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, expected);
}

TEST(NiahProtocol, CountsThatAddGiveTheSameSamples) {
  for (const std::string& task : needle_tasks()) {
    const auto whole = cell(task, 1500, 20, spec(test::count_words, false));
    const auto added = cell(task, 1500, 20, spec(test::count_words, true));
    for (std::int64_t i = 0; i < 20; ++i)
      EXPECT_EQ(whole->sample(i).prompt(), added->sample(i).prompt()) << task;
  }
}

TEST(NiahProtocol, DepthsAreSpreadEvenly) {
  const auto made = cell("s2", 2000, 80);
  std::multiset<double> first, second;
  for (std::int64_t i = 0; i < 40; ++i) {
    first.insert(made->sample(i).depth);
    second.insert(made->sample(40 + i).depth);
  }
  const std::multiset<double> all(depths().begin(), depths().end());
  EXPECT_EQ(first, all);
  EXPECT_EQ(second, all);
  std::vector<double> few;
  for (std::int64_t i = 0; i < 8; ++i) few.push_back(made->sample(i).depth);
  std::sort(few.begin(), few.end());
  for (std::size_t i = 1; i < few.size(); ++i) EXPECT_LT(few[i] - few[i - 1], 30);
}

TEST(NiahProtocol, GivenDepthsAreTakenInTurn) {
  ProtocolSpec with = spec();
  with.depths = {0, 33.25, 100};
  const auto given = cell("s2", 4096, 7, with), usual = cell("s2", 4096, 7);
  for (std::int64_t i = 0; i < 7; ++i) {
    const Sample sample = given->sample(i);
    EXPECT_EQ(sample.depth, with.depths[static_cast<std::size_t>(i % 3)]);
    EXPECT_NEAR(sample.real_depth, sample.depth, 1.5);
    EXPECT_EQ(sample.outputs, usual->sample(i).outputs) << "only the place is another";
  }
  EXPECT_NEAR(given->alike_until(1), 0.3325, 1e-9);
}

TEST(NiahProtocol, AllNeedlesThatAreAskedForStandAtGivenDepths) {
  ProtocolSpec with = spec();
  with.depths = {10, 40, 60, 90};
  for (const std::int64_t i : {0, 1, 2}) {
    const Sample sample = cell("multiquery", 6000, 3, with)->sample(i);
    std::multiset<int> tenths;
    for (const std::string& value : sample.outputs)
      tenths.insert(
          static_cast<int>(std::lround(10.0 * static_cast<double>(sample.input.find(value)) /
                                       static_cast<double>(sample.input.size()))));
    EXPECT_EQ(tenths, (std::multiset<int>{1, 4, 6, 9}));
    EXPECT_EQ(sample.depth, with.depths[static_cast<std::size_t>(i)]);
  }
  const Sample one = cell("multikey_1", 6000, 1, with)->sample(0);
  EXPECT_EQ(one.depth, 10) << "the others are only distractors";
  with.depths = {10, 90};
  EXPECT_THAT(
      refusal_of<UsageError>([&] { cell("multivalue", 6000, 1, with); }),
      HasSubstr("has 4 needles that are asked for, each at a depth of its own, and 2 depths"));
  EXPECT_TRUE(cell("absent", 6000, 1, with)->sample(0).outputs.empty());
}

TEST(NiahProtocol, SamplesShareTheirTextUpToTheNeedle) {
  const auto made = cell("s2", 4096);
  const Sample a = made->sample(0), b = made->sample(1);
  const auto common = static_cast<std::int64_t>(
      std::mismatch(a.input.begin(), a.input.end(), b.input.begin()).first - a.input.begin());
  EXPECT_GE(common, std::min(a.needle.begin, b.needle.begin));
}

TEST_P(EveryTask, KnowsHowLongSamplesAreAlike) {
  const auto made = cell(GetParam(), 6001);
  EXPECT_NEAR(test::common_part(*made), std::min(made->alike_until(0), made->alike_until(1)), 0.06);
}

TEST(NiahProtocol, TooShortIsRefusedAtOnceWithTheShortestThatFits) {
  for (const std::string& task : needle_tasks()) {
    try {
      make_cells(spec(), {{task, 10, 5}});
      ADD_FAILURE() << task;
    } catch (const UsageError& error) {
      const std::string message = error.what();
      EXPECT_THAT(message, HasSubstr("smallest length that fits is"));
      const std::size_t at = message.find_last_of("0123456789");
      const std::size_t from = message.find_last_not_of("0123456789", at) + 1;
      const std::int64_t smallest = std::stoll(message.substr(from, at - from + 1));
      const auto fits = cell(task, smallest, 5);
      for (std::int64_t i = 0; i < 5; ++i) EXPECT_LE(fits->sample(i).length, smallest) << task;
    }
  }
}

TEST(NiahProtocol, ATextThatEndsIsAnErrorOrAnExplicitRepeat) {
  const auto file = test::data_file("corpus.txt");
  ProtocolSpec once = spec(test::count_words);
  once.haystack = open_haystack({.kind = HaystackKind::kText, .path = file});
  EXPECT_THROW(make_cells(once, {{"s2", 20000, 1}}).front()->sample(0), DataError);
  once.haystack = open_haystack({.kind = HaystackKind::kText, .path = file, .repeat = true});
  EXPECT_GT(make_cells(once, {{"s2", 20000, 1}}).front()->sample(0).length, 19000);
}

TEST(MakeCells, RefusesUnknownNamesWithTheNearest) {
  const auto refusal = [](const std::string& protocol, const std::string& task) -> std::string {
    ProtocolSpec with = spec();
    with.protocol = protocol;
    return refusal_of<UsageError>([&] { make_cells(with, {{task, 4096, 1}}); });
  };
  EXPECT_THAT(refusal("niah", "multikey1"), HasSubstr("multikey_1"));
  EXPECT_THAT(refusal("lm_eval", "s1"), HasSubstr("lm-eval"));
  EXPECT_THAT(refusal("ruler", "absent"), HasSubstr("absent"));
}

}  // namespace
}  // namespace niah::tasks
