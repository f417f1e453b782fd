// Every scorer and extractor on outputs that no model should give: arbitrary bytes, and fragments
// of the phrases that extractors look for, mixed with characters of all UTF-8 lengths and both
// cases.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "tests/tasks/reasoning/read_answer.h"

namespace niah::tasks {
namespace {

const std::vector<std::string> kPieces = {"final answer is",
                                          "Final Answer Is",
                                          "The answer is ",
                                          "THE ANSWER IS",
                                          "I hope",
                                          ". I hope",
                                          "\\boxed",
                                          "\\boxed ",
                                          "\\fbox",
                                          "{",
                                          "}",
                                          "$",
                                          "\\$",
                                          "#### ",
                                          "\\frac",
                                          "\\sqrt",
                                          "\\text{ ",
                                          "=",
                                          "/",
                                          "{,}",
                                          "\\,",
                                          "\\!",
                                          "-",
                                          "\u2212",
                                          ".",
                                          ",",
                                          ":",
                                          "0",
                                          "7654321",
                                          "1,000",
                                          "5.0",
                                          "06d883d4-68a9-4e46-8db5-b6ed8fa2c5e0",
                                          "\n",
                                          "\nQuestion:",
                                          "\nProblem 2:",
                                          "<think>",
                                          "</think>",
                                          " ",
                                          "\u00a0",
                                          "\u0130",
                                          "\u023a",
                                          "\u023e",
                                          "\u1e9e",
                                          "\u212a",
                                          "\u03a3",
                                          "\xff",
                                          "\x80",
                                          "\xf0\x9f",
                                          "\xed\xa0\x80",
                                          std::string(1, '\0'),
                                          "\x1c"};

TEST(AnswerProperties, ArbitraryBytesAreReadEveryWay) {
  EXPECT_TRUE(
      rc::check("of any bytes", [](const std::string& output) { test::read_every_way(output); }));
}

TEST(AnswerProperties, PiecesOfAnswersBetweenOddCharactersAreReadEveryWay) {
  EXPECT_TRUE(rc::check("of any pieces", [] {
    std::string output;
    for (const auto& piece :
         *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kPieces)))
      output += piece;
    test::read_every_way(output);
  }));
}

}  // namespace
}  // namespace niah::tasks
