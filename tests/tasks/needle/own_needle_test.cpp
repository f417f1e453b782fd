#include "tasks/needle/own_needle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/base/error.h"
#include "tasks/protocol.h"
#include "tests/refusal.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

using testing::HasSubstr;

OwnNeedle needle() {
  OwnNeedle own;
  own.text = "Das Losungswort von {key} heißt {value}.";
  own.question = "Wie heißt das Losungswort von {key}?";
  own.answer = "Das Losungswort von {key} heißt";
  own.keys.list = {"Anna", "Bruno", "Clara", "Dora"};
  own.values.list = {"Granit", "Basalt", "Quarz", "Gneis"};
  return own;
}

ProtocolSpec spec(OwnNeedle own) {
  ProtocolSpec with{"niah", 5, test::prose(), test::count_triples, false};
  with.needles = {std::move(own)};
  return with;
}

Sample sample_of(const ProtocolSpec& with, std::int64_t index = 0) {
  return make_cells(with, {{"own", 3000, 40}}).front()->sample(index);
}

TEST(OwnNeedle, IsHiddenAndAskedForInItsOwnWords) {
  std::set<std::string> prompts;
  for (std::int64_t i = 0; i < 40; ++i) {
    const Sample sample = sample_of(spec(needle()), i);
    prompts.insert(sample.input);
    ASSERT_EQ(sample.outputs.size(), 1U);
    const std::string& value = sample.outputs.front();
    EXPECT_THAT(sample.input,
                HasSubstr("Das Losungswort von " + sample.key + " heißt " + value + "."));
    EXPECT_THAT(sample.prompt(),
                testing::EndsWith("\nWie heißt das Losungswort von " + sample.key +
                                  "? Das Losungswort von " + sample.key + " heißt"));
    EXPECT_EQ(sample.task, "own");
    EXPECT_EQ(sample.needle.end - sample.needle.begin,
              static_cast<std::int64_t>(std::string("Das Losungswort von  heit .").size() + 1 +
                                        sample.key.size() + value.size()));
    EXPECT_NEAR(sample.real_depth, sample.depth, 3);
    EXPECT_LE(sample.length, 3000);
  }
  EXPECT_GT(prompts.size(), 38U);
}

TEST(OwnNeedle, SeveralStandAtGivenDepthsAmongDistractors) {
  OwnNeedle own = needle();
  own.needles = 2;
  own.separator = " und ";
  own.intro = "Merke dir, was von {key} gesagt wird.";
  own.distractors = {own.text, "Niemand weiß, wie es weitergeht."};
  ProtocolSpec with = spec(own);
  with.depths = {20, 80};
  const Sample sample = sample_of(with, 1);
  ASSERT_EQ(sample.outputs.size(), 2U);
  EXPECT_EQ(sample.depth, 80);
  EXPECT_THAT(sample.key, HasSubstr(" und "));
  EXPECT_THAT(sample.input, testing::StartsWith("Merke dir, was von " + sample.key + " gesagt"));
  EXPECT_THAT(sample.input, HasSubstr("Niemand weiß, wie es weitergeht."));
  const auto place = [&](const std::string& value) {
    return static_cast<double>(sample.input.find("heißt " + value)) /
           static_cast<double>(sample.input.size());
  };
  EXPECT_NEAR(place(sample.outputs[0]), 0.8, 0.05);
  EXPECT_NEAR(place(sample.outputs[1]), 0.2, 0.05);
  std::size_t needles = 0;
  for (std::size_t at = 0;
       (at = sample.input.find("Das Losungswort von ", at)) != std::string::npos; ++at)
    ++needles;
  EXPECT_EQ(needles, 3U) << "two needles and a distractor of their form";
}

TEST(OwnNeedle, MayHaveNoKeyAndOneValue) {
  OwnNeedle own;
  own.text = "The best thing to do in Lisbon is to {value}.";
  own.question = "What is the best thing to do in Lisbon?";
  own.answer = "The best thing to do in Lisbon is to";
  own.values.list = {"ride the yellow tram"};
  own.distractors = {"The best thing to do in Porto is to walk."};
  const Sample sample = sample_of(spec(own));
  EXPECT_EQ(sample.key, "");
  EXPECT_THAT(sample.input, HasSubstr("Lisbon is to ride the yellow tram."));
  EXPECT_THAT(sample.input, HasSubstr("Porto"));
}

TEST(OwnNeedle, ValuesMayBeOfAType) {
  OwnNeedle own = needle();
  own.keys = {ValueType::kWords, {}};
  for (const auto& [type, pattern] :
       {std::pair(ValueType::kNumber, "[0-9]{7}"), std::pair(ValueType::kUuid, "[0-9a-f-]{36}"),
        std::pair(ValueType::kWords, "[a-z]+-[a-z ]+")}) {
    own.values = {type, {}};
    EXPECT_THAT(sample_of(spec(own)).outputs.front(), testing::ContainsRegex(pattern));
  }
}

TEST(OwnNeedle, WhatIsDrawnIsPutInAsItIs) {
  OwnNeedle own = needle();
  own.keys.list = {"{value}"};
  own.values.list = {"{key}"};
  EXPECT_THAT(sample_of(spec(own)).input, HasSubstr("Das Losungswort von {value} heißt {key}."));
}

TEST(OwnNeedle, AValueOfTheHaystackIsRefused) {
  OwnNeedle own = needle();
  own.values.list.push_back("GARDENER");
  EXPECT_THAT(refusal_of<UsageError>([&] { sample_of(spec(own)); }),
              HasSubstr("the value 'GARDENER' is also in the haystack"));
}

TEST(OwnNeedle, ChineseTextHasNoSpacesBetweenItsSentences) {
  const TemporaryFolder folder;
  const auto path = folder.write(
      "zh.txt", "天气很好。农民在田里干活。孩子们在河边玩耍。\n老人坐在门前。船夫唱着歌。");
  OwnNeedle own;
  own.text = "{key}的密码是{value}。";
  own.question = "{key}的密码是什么？";
  own.answer = "{key}的密码是";
  own.keys.list = {"小明", "小红"};
  ProtocolSpec with = spec(own);
  with.haystack =
      open_haystack({.kind = HaystackKind::kText, .path = path, .repeat = true, .language = "zh"});
  with.depths = {0, 50, 100};
  for (const std::int64_t i : {0, 1, 2}) {
    const Sample sample = sample_of(with, i);
    EXPECT_THAT(sample.input, HasSubstr(sample.key + "的密码是" + sample.outputs[0] + "。"));
    EXPECT_EQ(sample.input.find(' '), std::string::npos);
    EXPECT_NEAR(sample.real_depth, sample.depth, 3);
    EXPECT_GT(sample.length, 2900);
  }
}

TEST(OwnNeedle, ItsIdentityIsThatOfItsWords) {
  const std::string plain = needle().identity();
  EXPECT_THAT(plain, testing::MatchesRegex("own [0-9a-f]{16}"));
  EXPECT_EQ(needle().identity(), plain);
  std::set<std::string> all{plain};
  const auto add = [&](const auto& change) {
    OwnNeedle other = needle();
    change(other);
    EXPECT_TRUE(all.insert(other.identity()).second);
  };
  add([](OwnNeedle& own) { own.intro = "x"; });
  add([](OwnNeedle& own) { own.question += "x"; });
  add([](OwnNeedle& own) { own.keys.list.pop_back(); });
  add([](OwnNeedle& own) { own.values.list = {}; });
  add([](OwnNeedle& own) { own.values = {ValueType::kUuid, {}}; });
  add([](OwnNeedle& own) { own.needles = 2; });
  add([](OwnNeedle& own) { own.distractors = {"x"}; });
}

}  // namespace
}  // namespace niah::tasks
