#include "tasks/scoring.h"

#include <gtest/gtest.h>

#include "harness/base/error.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

const std::vector<std::string> kNumber = {"7654321"};
const std::vector<std::string> kUuid = {"06d883d4-68a9-4e46-8db5-b6ed8fa2c5e0"};

MissClass class_of(std::string_view output, const std::vector<std::string>& expected = kNumber,
                   bool limit = false, std::string_view prompt = "") {
  return classify({output, &expected, limit, prompt});
}

TEST(StringMatchAll, AgreesWithTheReferenceOnRecordedOutputs) {
  for (const auto& row : test::read_jsonl(test::data_file("string_match_all.jsonl"))) {
    const auto expected = row["expected"].get<std::vector<std::string>>();
    EXPECT_EQ(string_match_all(row["output"].get<std::string>(), expected),
              row["score"].get<double>())
        << row.dump();
  }
}

TEST(StringMatchAll, NothingScoresNothing) {
  EXPECT_EQ(string_match_all("", kNumber), 0);
  EXPECT_EQ(string_match_all("7,654,321", kNumber), 0);
  EXPECT_EQ(string_match_all("**7654321**.", kNumber), 1);
}

TEST(StringMatchAll, OfAnAbsentNeedleIsSilence) {
  EXPECT_EQ(string_match_all("It is not mentioned.", {}), 1);
  EXPECT_EQ(string_match_all("It is 1234567.", {}), 0);
}

TEST(Classify, TellsWhyItMissed) {
  EXPECT_EQ(class_of(" 7654321."), MissClass::kHit);
  EXPECT_EQ(class_of(" 1234567."), MissClass::kWrongValue);
  EXPECT_EQ(class_of(" 7654399."), MissClass::kPartialValue);
  EXPECT_EQ(class_of(" 06d883d4-68a9-4e46-8db5-b6ed8fa2c5e1", kUuid), MissClass::kPartialValue);
  EXPECT_EQ(class_of(" 16d883d4-68a9-4e46-8db5-b6ed8fa2c5e0", kUuid), MissClass::kWrongValue);
  EXPECT_EQ(class_of("", kNumber), MissClass::kEmpty);
  EXPECT_EQ(class_of(" \n ", kNumber), MissClass::kEmpty);
  EXPECT_EQ(class_of("The number is not mentioned in the text."), MissClass::kRefused);
  EXPECT_EQ(class_of("zq zq zq"), MissClass::kGarbage);
  EXPECT_EQ(class_of("Let me think about what the text says about this, step by step, and", kNumber,
                     true),
            MissClass::kOutOfTokens);
}

TEST(Classify, AUuidThatLacksAFewCharactersIsAPartOfTheValueWhereverTheyAreMissing) {
  for (const char* output :
       {" 6d883d4-68a9-4e46-8db5-b6ed8fa2c5e0.", " 0d883d4-68a9-4e46-8db5-b6ed8fa2c5e0",
        " d883d4-68a9-4e46-8db5-b6ed8fa2c5", " 06d883d4-68a9-4e46-8db5-b6ed8fa2c5e",
        " --6d883d4-68a9-4e46-8db5-b6ed8fa2c5e0",
        "In sample 7 it is 6D883D4-68A9-4E46-8DB5-B6ED8FA2C5E0"})
    EXPECT_EQ(class_of(output, kUuid), MissClass::kPartialValue) << output;
  EXPECT_EQ(class_of(" 8d883d4-68a9-4e46-8db5-b6ed8fa2c5e0", kUuid), MissClass::kWrongValue);
  EXPECT_EQ(class_of(" 8d883d4-68a9-4e46-8db5-b6ed8fa2c5e0", kNumber), MissClass::kGarbage);
  EXPECT_EQ(class_of(" 883d4-68a9-4e46-8db5-b6ed8fa2c5", kUuid), MissClass::kGarbage);
  EXPECT_EQ(class_of("added", kUuid), MissClass::kGarbage);
}

TEST(Classify, KnowsTheHaystackWhenItIsRepeated) {
  const std::string prompt =
      "In the beginning God created the heaven and the earth. And the earth was without form.";
  EXPECT_EQ(
      class_of(" the heaven and the earth. And the earth was without form.", kNumber, true, prompt),
      MissClass::kHaystackEcho);
}

TEST(Classify, OnlyWhatFollowsTheThoughtCounts) {
  EXPECT_EQ(class_of("<think>It is 7654321, or not"), MissClass::kAnswerInThought);
  EXPECT_EQ(class_of("<think>Hm, let me look", kNumber, true), MissClass::kStillThinking);
  EXPECT_EQ(class_of("<think>7654321?</think> No: 1234567."), MissClass::kAnswerInThought);
  EXPECT_EQ(class_of("<think>a</think>b</think> 7654321"), MissClass::kHit);
}

TEST(MissClass, NamesAreStable) {
  const std::vector<std::pair<MissClass, std::string>> names = {
      {MissClass::kHit, "hit"},
      {MissClass::kWrongValue, "wrong_value"},
      {MissClass::kPartialValue, "partial_value"},
      {MissClass::kHaystackEcho, "haystack_echo"},
      {MissClass::kRefused, "refused"},
      {MissClass::kOutOfTokens, "out_of_tokens"},
      {MissClass::kStillThinking, "still_thinking"},
      {MissClass::kAnswerInThought, "answer_in_thought"},
      {MissClass::kEmpty, "empty"},
      {MissClass::kGarbage, "garbage"},
  };
  for (const auto& [miss, name] : names) {
    EXPECT_EQ(miss_class_name(miss), name);
    EXPECT_EQ(parse_miss_class(name), miss);
  }
  EXPECT_THROW(parse_miss_class("missed"), DataError);
}

}  // namespace
}  // namespace niah::tasks
