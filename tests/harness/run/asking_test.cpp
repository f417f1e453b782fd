#include "harness/run/asking.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/analysis/cells.h"
#include "tasks/scoring.h"

namespace niah {
namespace {

Question question() {
  Question question;
  question.ids = {5, 6, 7};
  question.draft = {8, 9};
  question.expected_text = " 1234567";
  question.record_template.expected = {"1234567"};
  question.prompt = question.framed = [] { return std::string("1234567 is the number."); };
  question.max_new_tokens = 20;
  return question;
}

TEST(RequestOf, TakesTheIdsAndHasRoomForThoughtAndAnswer) {
  Question asked = question();
  asked.max_thinking_tokens = 100;
  const Request request = request_of(asked, {2});
  EXPECT_EQ(request.ids, (PromptIds{5, 6, 7}));
  EXPECT_TRUE(asked.ids.empty());
  EXPECT_EQ(request.expected_ids, (TokenIds{8, 9}));
  EXPECT_EQ(request.stop_ids, (TokenIds{2}));
  EXPECT_EQ(request.room(), 120);
  EXPECT_EQ(request.longest(), 125);
  EXPECT_EQ(request.text(), "1234567 is the number.");
}

TEST(RequestOf, KnowsTheQuestionWithoutItsFrame) {
  Question asked = question();
  asked.bare = [] { return std::string("What is the number?"); };
  asked.system = "Be brief.";
  asked.answer_prefix = "The number is";
  const Request request = request_of(asked, {});
  EXPECT_EQ(request.question(), "What is the number?");
  EXPECT_EQ(request.system, "Be brief.");
  EXPECT_EQ(request.answer_prefix, "The number is");
}

TEST(RequestOf, AThoughtDecidesNothing) {
  Question asked = question();
  asked.max_thinking_tokens = 100;
  asked.open_thought = "<think>";
  const Request request = request_of(asked, {});
  EXPECT_TRUE(request.is_thinking("It is 1234567, or"));
  EXPECT_FALSE(request.is_decided("It is 1234567, or"));
  EXPECT_FALSE(request.is_thinking("Yes.</think> It is 1234567"));
  EXPECT_TRUE(request.is_decided("Yes.</think> It is 1234567"));
}

TEST(RequestOf, NothingIsDecidedEarlyThatNobodyWantsToBe) {
  Question asked = question();
  asked.stop_when_decided = false;
  EXPECT_FALSE(request_of(asked, {}).is_decided);
  Question absent = question();
  absent.record_template.expected.clear();
  EXPECT_FALSE(request_of(absent, {}).is_decided);
}

TEST(RecordOf, AnAnswerIsScoredAndAFailureIsNot) {
  const Question asked = question();
  const reports::Record hit = record_of(
      asked, "f", {.id = {}, .text = " 1234567", .ids = {8, 9}, .log_prob = -1, .seconds = 2});
  EXPECT_EQ(hit.variant, "f");
  EXPECT_EQ(hit.score, 1);
  EXPECT_EQ(hit.value_log_prob, -1);
  EXPECT_EQ(hit.seconds, 2);
  EXPECT_FALSE(hit.same_again);
  EXPECT_EQ(record_of(asked, "f", {.id = {}, .text = "1", .same_again = false}).same_again, false);
  EXPECT_EQ(record_of(asked, "f", {.id = {}, .text = "1", .again_failed = "503"}).again_failed,
            "503");
  const reports::Record failed = record_of(
      asked, "f", {.id = {}, .failure = Failure{"cut", "900 of 1000"}, .text = "1234567"});
  EXPECT_EQ(failed.outcome, "cut");
  EXPECT_EQ(failed.detail, "900 of 1000");
  EXPECT_EQ(failed.score, 0);
  EXPECT_TRUE(failed.text.empty());
}

TEST(KeepOutput, OfALongThoughtIsALineThatJournalsTake) {
  reports::Record record;
  keep_output(record, std::string(1U << 20U, 'x'), std::vector<std::int64_t>(100'000, 151'000));
  EXPECT_LT(nlohmann::json(record).dump().size(), 8192U);
  keep_output(record, "short", {1, 2, 3});
  EXPECT_EQ(record.text, "short");
  EXPECT_EQ(record.ids, (std::vector<std::int64_t>{1, 2, 3}));
}

// Reports refer to miss classes by name; only this test keeps the names in sync.
TEST(MissClasses, ReportsKnowThoseThatSayNothingOfRetrieval) {
  using tasks::MissClass;
  for (const MissClass miss :
       {MissClass::kOutOfTokens, MissClass::kStillThinking, MissClass::kAnswerInThought})
    EXPECT_TRUE(reports::is_format_miss(tasks::miss_class_name(miss)));
  for (const MissClass miss :
       {MissClass::kHit, MissClass::kWrongValue, MissClass::kPartialValue, MissClass::kHaystackEcho,
        MissClass::kRefused, MissClass::kEmpty, MissClass::kGarbage})
    EXPECT_FALSE(reports::is_format_miss(tasks::miss_class_name(miss)));
}

}  // namespace
}  // namespace niah
