#include "tasks/reasoning/instruction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace niah::tasks {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Instruction, IsAFunctionOfItsRandomStream) {
  CounterRng a("stream"), b("stream");
  for (int i = 0; i < 20; ++i) {
    const Instruction one = make_instruction(a), other = make_instruction(b);
    EXPECT_EQ(one.prompt, other.prompt);
    EXPECT_EQ(one.answer, other.answer);
  }
}

TEST(Instruction, IsAnsweredByItsPrompt) {
  CounterRng rng("answers");
  std::map<std::string, int> kinds;
  for (int i = 0; i < 400; ++i) {
    const Instruction made = make_instruction(rng);
    ASSERT_THAT(made.prompt, EndsWith("?\nAnswer:"));
    ASSERT_THAT(made.answer, StartsWith(" "));
    ASSERT_THAT(made.answer, EndsWith("."));
    const std::string answer = made.answer.substr(1, made.answer.size() - 2);
    if (made.prompt.find("in reverse order") != std::string::npos) {
      ++kinds["reverse"];
      const std::string first = answer.substr(0, answer.find(','));
      EXPECT_THAT(made.prompt, HasSubstr(first + ".\n")) << "the last word comes first";
    } else if (made.prompt.find("How many") != std::string::npos) {
      ++kinds["count"];
      EXPECT_EQ(std::count(made.prompt.begin(), made.prompt.end(), ','), std::stoi(answer) - 1);
    } else if (const auto at = made.prompt.find(" of "); at != std::string::npos) {
      ++kinds["lookup"];
      const std::string key = made.prompt.substr(at + 4, made.prompt.find('?') - at - 4);
      EXPECT_THAT("\n" + made.prompt, HasSubstr("\n" + key + ": " + answer + "\n"));
    } else if (made.prompt.find("comes after") != std::string::npos) {
      ++kinds["after"];
      const std::size_t start = made.prompt.find("after ") + 6;
      const std::string before = made.prompt.substr(start, made.prompt.find('?') - start);
      EXPECT_THAT(made.prompt, HasSubstr(before + ", " + answer));
    } else {
      ++kinds["repeat"];
      EXPECT_THAT(made.prompt, StartsWith("Words: " + answer + "."));
    }
  }
  EXPECT_NEAR(kinds["lookup"], 200, 40);
  for (const char* kind : {"reverse", "count", "after", "repeat"})
    EXPECT_NEAR(kinds[kind], 50, 25) << kind;
}

}  // namespace
}  // namespace niah::tasks
