#include "tasks/corpus/reasoning_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"
#include "tests/temporary_folder.h"

namespace niah::tasks {
namespace {

using testing::HasSubstr;

class ReasoningFile : public testing::Test {
 protected:
  std::shared_ptr<const ReasoningSet> open(const std::string& kind, const std::string& content) {
    return open_reasoning_set(kind, folder_.write("problems.jsonl", content), 1);
  }
  std::string error(const std::string& kind, const std::string& content) {
    try {
      open(kind, content);
    } catch (const DataError& error) {
      return error.what();
    }
    return "opened";
  }
  TemporaryFolder folder_;
};

TEST_F(ReasoningFile, Gsm8kAsksAsBaseModelsAreAskedAndReadsTheNumber) {
  const auto set = open("gsm8k", R"({"question": "How many?", "answer": "2+3=5\n#### 1,005"})"
                                 "\n\n"
                                 R"({"question": "And now?", "answer": "#### 7"})"
                                 "\n");
  ASSERT_EQ(set->size(), 2);
  const ReasoningProblem problem = set->problem(0);
  EXPECT_EQ(problem.prompt, "Question: How many?\nAnswer:");
  EXPECT_EQ(problem.answer, "1005");
  EXPECT_EQ(set->extract(problem.solution), "1005");
  EXPECT_TRUE(set->is_right("1005", problem));
  EXPECT_FALSE(set->is_right("1006", problem));
  EXPECT_EQ(set->extract(" It is 7.\n\nQuestion: What of 9?"), "7") << "its own next question";
  EXPECT_EQ(set->extract("none"), std::nullopt);
}

TEST_F(ReasoningFile, Math500ComparesSpellings) {
  const auto set = open(
      "math500",
      R"({"problem": "Half?", "solution": "It is $\\boxed{\\frac{1}{2}}$.", "answer": "\\frac{1}{2}", "level": 1})");
  const ReasoningProblem problem = set->problem(0);
  EXPECT_TRUE(set->is_right(*set->extract("so \\boxed{0.5}"), problem));
  EXPECT_FALSE(set->is_right(*set->extract("so \\boxed{0.6}"), problem));
}

TEST_F(ReasoningFile, RefusesWhatIsNoSetWithFileAndLine) {
  EXPECT_THAT(error("gsm8k", "{\"question\": \"a\", \"answer\": \"#### 1\"}\nnot json\n"),
              HasSubstr(".jsonl:2: a JSON object"));
  EXPECT_THAT(error("gsm8k", "{\"question\": \"a\"}"), HasSubstr(":1: it has no text 'answer'"));
  EXPECT_THAT(error("gsm8k", "{\"question\": \"a\", \"answer\": \"5\"}"), HasSubstr("####"));
  EXPECT_THAT(error("math500", "{\"problem\": \"a\"}"), HasSubstr("'answer'"));
  EXPECT_THAT(error("math500", "\n"), HasSubstr("holds none"));
  EXPECT_THROW(open("gsm", ""), UsageError);
}

TEST(WordProblems, AreASetThatNeverEnds) {
  const auto set = open_reasoning_set("word-problems", "", 5);
  EXPECT_EQ(set->size(), std::nullopt);
  const ReasoningProblem problem = set->problem(3);
  EXPECT_TRUE(set->is_right(*set->extract(problem.solution), problem));
}

}  // namespace
}  // namespace niah::tasks
