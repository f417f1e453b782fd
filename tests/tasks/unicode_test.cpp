#include "tasks/unicode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace niah::tasks {
namespace {

TEST(Unicode, WhiteSpaceIsPythons) {
  for (const int c : {0x09, 0x0D, 0x1C, 0x1F, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028,
                      0x2029, 0x202F, 0x205F, 0x3000}) {
    EXPECT_TRUE(is_python_space(static_cast<char32_t>(c))) << c;
  }
  for (const int c : {0x08, 0x0E, 0x1B, 0x21, 0x84, 0x97, 0x180E, 0x200B, 0xFEFF}) {
    EXPECT_FALSE(is_python_space(static_cast<char32_t>(c))) << c;
  }
}

TEST(Unicode, CaseOfLettersAndOtherCasedCharacters) {
  EXPECT_TRUE(is_upper('A') && is_upper(0xC9) && is_upper(0x2160) && is_upper(0x24B6));
  EXPECT_TRUE(is_lower('a') && is_lower(0xE9) && is_lower(0xAA) && is_lower(0x2170));
  EXPECT_FALSE(is_upper('a') || is_upper('1') || is_upper(0x1C5) || is_lower(0x1C5));
}

TEST(Unicode, LowerCase) {
  EXPECT_EQ(to_lower("ABC xyz 123"), "abc xyz 123");
  EXPECT_EQ(to_lower("ÉTÉ ЖУК \u212A"), "été жук k");
  EXPECT_EQ(to_lower("\u0130"), "i\u0307");
}

TEST(Unicode, StripsAndCollapses) {
  EXPECT_EQ(strip(" \t\u00a0 a b \x1c\u3000\n"), "a b");
  EXPECT_EQ(strip("  "), "");
  EXPECT_EQ(strip(""), "");
  EXPECT_EQ(collapse_white_space("a \n b\u00a0\u2003c\u0097d "), "a b c\u0097d ");
}

TEST(Unicode, SplitsLines) {
  using testing::ElementsAre;
  EXPECT_THAT(split_lines("a\n\nb\n"), ElementsAre("a", "", "b"));
  EXPECT_THAT(split_lines("a"), ElementsAre("a"));
  EXPECT_THAT(split_lines(""), ElementsAre());
}

}  // namespace
}  // namespace niah::tasks
