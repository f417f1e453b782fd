#include "reports/analysis/answers.h"

#include <gtest/gtest.h>

#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

TEST(FirstDifference, CountsCharactersUntilTextsPart) {
  const auto difference = [](const std::string& first, const std::string& second) {
    return first_difference({.text = first}, {.text = second});
  };
  EXPECT_EQ(difference("same", "same"), std::nullopt);
  EXPECT_EQ(difference("same", "some"), 1);
  EXPECT_EQ(difference("", "x"), 0);
  EXPECT_EQ(difference("12", "123"), 2) << "one ended there by itself";
  EXPECT_EQ(difference("\u00E4\u00F6x", "\u00E4\u00FCx"), 1) << "characters, not bytes";
  EXPECT_EQ(difference("\u00E4", "\u00E4\u00F6"), 1);
}

TEST(FirstDifference, GoesNoFurtherThanBothWereKept) {
  Record whole = synthetic_record("f", "s1", 4096, 0);
  whole.text = " The number is 7654321. And more";
  Record decided = whole;
  decided.text = "The number is 7654321";
  EXPECT_EQ(first_difference(kept_answer(whole), kept_answer(decided)), std::nullopt)
      << "nobody waited for the rest of a found answer, and white space at the beginning is the "
         "template's";
  decided.text = "The number was 7654321";
  EXPECT_EQ(first_difference(kept_answer(whole), kept_answer(decided)), 11);
  Record miss = missed(decided);
  miss.text = "The number is";
  EXPECT_EQ(first_difference(kept_answer(whole), kept_answer(miss)), 13) << "a miss ends by itself";

  // Of a long answer only the beginning is kept, without a character that was cut in two.
  Record longer = missed(whole);
  longer.text = std::string(kMostTextBytes - 1, 'x') + "\uFFFD...";
  Record other = missed(whole);
  other.text = std::string(kMostTextBytes - 1, 'x') + "\u00E4 and so on";
  EXPECT_EQ(first_difference(kept_answer(longer), kept_answer(other)), std::nullopt);
  other.text[5] = 'y';
  EXPECT_EQ(first_difference(kept_answer(longer), kept_answer(other)), 5);
}

}  // namespace
}  // namespace niah::reports
