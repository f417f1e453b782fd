#include "tasks/reasoning/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "harness/base/error.h"
#include "tasks/reasoning/word_problem.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

using testing::HasSubstr;

DocumentMaker maker() {
  std::vector<std::string> sentences;
  const auto text = test::prose();
  for (int i = 0; i < 200; ++i) sentences.emplace_back(text->sentence(i));
  return {sentences, test::count_words};
}

std::string joined(const Document& document) {
  std::string text;
  for (const Segment& segment : document) text += segment.text;
  return text;
}

class EveryKind : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Documents, EveryKind,
                         testing::Values("needle", "key_value", "copy", "text", "arithmetic"));

TEST_P(EveryKind, IsAFunctionOfItsRandomStream) {
  const DocumentMaker make = maker();
  const DocumentKind kind = parse_document_kind(GetParam());
  CounterRng a("stream"), b("stream"), c("yet another stream");
  EXPECT_EQ(joined(make.make(kind, 200, a)), joined(make.make(kind, 200, b)));
  EXPECT_NE(joined(make.make(kind, 200, a)), joined(make.make(kind, 200, c)));
}

TEST_P(EveryKind, CanBeTokenizedPieceByPiece) {
  const DocumentMaker make = maker();
  for (int i = 0; i < 50; ++i) {
    CounterRng rng("pieces/" + std::to_string(i));
    const Document document = make.make(parse_document_kind(GetParam()), 300, rng);
    ASSERT_FALSE(document.empty());
    for (std::size_t s = 1; s < document.size(); ++s) {
      const std::string& text = document[s].text;
      const std::string& before = document[s - 1].text;
      EXPECT_TRUE(text[0] == ' ' || text[0] == '\n' || text == "." || before.back() == '\n')
          << text;
    }
  }
}

TEST(NeedleDocument, AnswersWhatItAsks) {
  const DocumentMaker make = maker();
  for (int i = 0; i < 100; ++i) {
    CounterRng rng("needles/" + std::to_string(i));
    const Document document = make.make(DocumentKind::kNeedle, 350, rng);
    const std::string text = joined(document);
    const std::regex asked(
        "What is the special magic (number|uuid) for (.*?) mentioned in the provided "
        "text\\? The special magic \\1 for \\2 mentioned in the provided text is "
        "([0-9a-f-]+)\\.");
    int questions = 0;
    for (std::sregex_iterator at(text.begin(), text.end(), asked), end; at != end;
         ++at, ++questions)
      EXPECT_THAT(text, HasSubstr("One of the special magic " + (*at)[1].str() + "s for " +
                                  (*at)[2].str() + " is: " + (*at)[3].str() + "."));
    EXPECT_GE(questions, 1) << text;
    double answer_weight = 0;
    for (const Segment& segment : document) answer_weight = std::max(answer_weight, segment.weight);
    EXPECT_EQ(answer_weight, 3);
  }
}

TEST(DocumentKind, UnknownNamesAreRefused) {
  EXPECT_THROW(parse_document_kind("needles"), UsageError);
}

TEST(WordProblem, TheChainOfThoughtIsRight) {
  const std::regex step("(\\d+) ([+-]) (\\d+) = (\\d+)\\.");
  for (int i = 0; i < 300; ++i) {
    const WordProblem problem = probe_problem(1, i);
    EXPECT_EQ(final_answer(problem.chain_of_thought), std::to_string(problem.answer));
    EXPECT_EQ(final_answer(problem.direct), std::to_string(problem.answer));
    std::int64_t last = -1;
    for (std::sregex_iterator
             at(problem.chain_of_thought.begin(), problem.chain_of_thought.end(), step),
         end;
         at != end; ++at) {
      const std::int64_t a = std::stoll((*at)[1]), b = std::stoll((*at)[3]),
                         c = std::stoll((*at)[4]);
      EXPECT_EQ((*at)[2] == "+" ? a + b : a - b, c);
      EXPECT_TRUE(last == -1 || last == a);
      EXPECT_GE(c, 0);
      EXPECT_LE(c, 20);
      last = c;
    }
    EXPECT_EQ(last, problem.answer);
  }
}

TEST(WordProblem, ProbeIsAFunctionOfSeedAndIndex) {
  EXPECT_EQ(probe_problem(1, 7).question, probe_problem(1, 7).question);
  EXPECT_NE(probe_problem(1, 7).question, probe_problem(1, 8).question);
  EXPECT_NE(probe_problem(1, 7).question, probe_problem(2, 7).question);
}

TEST(FinalAnswer, IsTheLastOneStated) {
  EXPECT_EQ(final_answer("The answer is 4.\nNo. The answer is 12.\n"), "12");
  EXPECT_EQ(final_answer("The answer is "), std::nullopt);
  EXPECT_EQ(final_answer("12"), std::nullopt);
  EXPECT_EQ(final_answer("The answer is -3"), "-3");
}

TEST(FinalAnswer, IsReadWholeAndThroughItsMarks) {
  EXPECT_EQ(final_answer("The answer is 99999999999999999999"), "99999999999999999999");
  EXPECT_EQ(final_answer("The answer is 5.5."), "5.5") << "not 5";
  EXPECT_EQ(final_answer("The answer is 1,000."), "1000") << "not 1";
  EXPECT_EQ(final_answer("**The answer is: 7**"), "7");
  EXPECT_EQ(final_answer("so the answer is $\\boxed{7}$."), "7");
  EXPECT_EQ(final_answer("The answer is:\n\n\\[\n\\boxed{7}\n\\]"), "7");
  EXPECT_EQ(final_answer("The answer is unknown.\n12 is a guess."), std::nullopt);
}

}  // namespace
}  // namespace niah::tasks
