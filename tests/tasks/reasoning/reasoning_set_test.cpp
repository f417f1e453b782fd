#include "tasks/reasoning/reasoning_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"
#include "tests/refusal.h"
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
    return refusal_of([&] { open(kind, content); });
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

TEST_F(ReasoningFile, NumbersAreRightByTheirValueHoweverSpelt) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"29", {"It costs $29.00.", "#### $29.00 for 3 days", "#### **29**", "so \\boxed{\\$29}"}},
      {"8000", {"\\boxed{8{,}000}", "That is 8\\,000 in all.", "\\boxed{8,\\!000}", "8,000.00"}},
      {"5", {"5.0", "#### 5.00", "The total is 05."}},
      {"-5", {"#### \u22125", "It is \u22125.0 degrees."}},
      {"0", {"-0.0"}}};
  for (const auto& [gold, outputs] : cases) {
    const auto gsm8k =
        open("gsm8k", R"({"question": "How many?", "answer": "#### )" + gold + "\"}");
    const auto math = open("math500", R"({"problem": "Many?", "answer": ")" + gold + "\"}");
    for (const std::string& output : outputs) {
      const auto answer = gsm8k->extract(output);
      EXPECT_TRUE(answer && gsm8k->is_right(*answer, gsm8k->problem(0)))
          << output << " read as " << answer.value_or("none");
    }
    EXPECT_FALSE(gsm8k->is_right(gold + ".5", gsm8k->problem(0)));
    EXPECT_FALSE(gsm8k->is_right("1" + gold, gsm8k->problem(0)));
    EXPECT_TRUE(math->is_right(gold + ".0", math->problem(0)));
  }
  const auto math = open("math500", R"({"problem": "a", "answer": "8000"})");
  for (const char* spelt : {"8{,}000", "8,000", "\\$8000.00", "n=8000.0", "8000\\text{ kg}"})
    EXPECT_TRUE(math->is_right(spelt, math->problem(0))) << spelt;
  for (const char* other : {"8,0,00", "8000.01", "8,00", "800,0"})
    EXPECT_FALSE(math->is_right(other, math->problem(0))) << other;
  const auto pair = open("math500", R"({"problem": "a", "answer": "1,2"})");
  EXPECT_FALSE(pair->is_right("12", pair->problem(0)));
}

TEST_F(ReasoningFile, WhatAModelAnswersToItsOwnNextProblemDoesNotCount) {
  const auto gsm8k = open("gsm8k", R"({"question": "a", "answer": "#### 7"})");
  const auto math = open("math500", R"({"problem": "a", "answer": "7"})");
  const auto words = open_reasoning_set("word-problems", "", 5);
  for (const char* next : {"\nQuestion: 9?", "\n\nQuestion: 9?", "\n  Problem: 9?",
                           "\r\nQuestion 2: 9?", "\n**Question:** 9?", "\n### Problem 2.: 9?"}) {
    const std::string rest = std::string(next) + "\nAnswer: The answer is 12. \\boxed{12} #### 12";
    EXPECT_EQ(gsm8k->extract(" It is 7." + rest), "7") << next;
    EXPECT_EQ(math->extract(" \\boxed{7}" + rest), "7") << next;
    EXPECT_EQ(words->extract(" The answer is 7." + rest), "7") << next;
    EXPECT_EQ(words->extract(rest), std::nullopt) << next;
  }
  EXPECT_EQ(words->extract("\nQuestions remain: The answer is 7."), "7");
}

/// A phrase that is matched case-insensitively is found at the right place after characters whose
/// lower case is longer (U+0130, U+023A, U+FFFD for a stray byte) or shorter (U+1E9E, the Kelvin
/// sign).
TEST_F(ReasoningFile, CharactersWhoseLowerCaseHasAnotherLengthShiftNothing) {
  const auto math = open("math500", R"({"problem": "a", "answer": "7"})");
  const auto words = open_reasoning_set("word-problems", "", 5);
  for (const std::string character : {"\u0130", "\u023a", "\u1e9e", "\u212a", "\xff", "\xf0\x9f"}) {
    std::string many;
    for (int i = 0; i < 40; ++i) many += character;
    EXPECT_EQ(math->extract(many + " The Final Answer is 7."), "7") << character;
    EXPECT_EQ(math->extract(many + "FINAL ANSWER IS"), std::nullopt) << character;
    EXPECT_EQ(words->extract(many + " THE ANSWER IS 7." + many), "7") << character;
    EXPECT_EQ(words->extract(many + "the answer is"), std::nullopt) << character;
  }
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
