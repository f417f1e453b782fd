#include "tasks/reasoning/math_answer.h"
#include "tests/paths.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace niah::tasks {
namespace {

nlohmann::json as_json(const std::optional<std::string>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

TEST(MathAnswer, ReadsAsTheReferenceDoes) {
  std::ifstream file(std::filesystem::path(NIAH_TEST_DATA) / "tasks/math_answers.jsonl");
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const auto one = nlohmann::json::parse(line);
    const auto kind = one["kind"].get<std::string>(), text = one["text"].get<std::string>();
    nlohmann::json value;
    if (kind == "boxed") value = as_json(last_boxed(text));
    if (kind == "normal") value = as_json(normalise_math(text));
    if (kind == "same") value = same_math(text, one["other"].get<std::string>());
    if (kind == "number") value = as_json(final_number(text));
    EXPECT_EQ(value, one["value"]) << line;
  }
  EXPECT_GT(cases, 80);
}

TEST(MathAnswer, FinalAnswersAreFoundWhereModelsPutThem) {
  EXPECT_EQ(final_math_answer("Thus $x=2$, so \\boxed{2}."), "2");
  EXPECT_EQ(final_math_answer("Final Answer: The final answer is $[2,5)$. I hope it is correct."),
            "[2,5)");
  EXPECT_EQ(final_math_answer("The final answer is 12.\nNext"), "12");
  EXPECT_EQ(final_math_answer("we get $16$ in all"), "16");
  EXPECT_EQ(final_math_answer("I do not know"), std::nullopt);
  EXPECT_EQ(final_number("So \\boxed{1,234}. That is 7 more"), "1234");
}

}  // namespace
}  // namespace niah::tasks
