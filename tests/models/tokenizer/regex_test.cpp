#include "models/tokenizer/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "harness/base/error.h"
#include "models/tokenizer/regex_translation.h"

namespace niah::models {
namespace {

std::vector<std::string> matches(std::string_view pattern, const std::string& text) {
  std::vector<std::string> out;
  Regex(translate_regex(pattern)).for_each_match(text, [&](std::size_t begin, std::size_t end) {
    out.push_back(text.substr(begin, end - begin));
  });
  return out;
}

TEST(Regex, IgnoresCaseBeyondAscii) {
  EXPECT_THAT(matches("(?i:'s|'t)", "it's IT'S x'\u017f y'T 's"),
              testing::ElementsAre("'s", "'S", "'\u017f", "'T", "'s"));
}

TEST(Regex, WhiteSpaceIsThePropertyOnly) {
  EXPECT_THAT(matches(R"(\s)", " \u180e\u3000\u0085\u001c\u200b\u2029"),
              testing::ElementsAre(" ", "\u3000", "\u0085", "\u2029"));
  EXPECT_THAT(matches(R"([^\s]+)", "a\u180eb c"), testing::ElementsAre("a\u180eb", "c"));
  EXPECT_THAT(matches(R"(\S+)", "a\u180eb c"), testing::ElementsAre("a\u180eb", "c"));
}

TEST(Regex, CategoriesKnowNewerCharacters) {
  EXPECT_THAT(matches(R"(\p{L}+)", "a\U00031350 \U0002EBF0"),
              testing::ElementsAre("a\U00031350", "\U0002EBF0"));
  EXPECT_THAT(matches(R"(\P{L}+)", "a\U00031350 1b"), testing::ElementsAre(" 1"));
  EXPECT_THAT(matches(R"([\p{Nd}x]+)", "1\U00010D40x2 y"), testing::ElementsAre("1\U00010D40x2"));
  EXPECT_THAT(matches(R"(\d+)", "½12\u0661"), testing::ElementsAre("12\u0661"));
}

TEST(Regex, DotLeavesOnlyLineFeedsOut) {
  EXPECT_THAT(matches(".+", "a\rb\nc\u2028d"), testing::ElementsAre("a\rb", "c\u2028d"));
}

TEST(Regex, LongRunsDoNotExhaustTheMatcher) {
  const std::string text = std::string(1'000'000, ' ') + "x";
  EXPECT_THAT(matches(R"(\s+(?!\S)|\s+|x)", text), testing::SizeIs(3));
  EXPECT_THAT(matches(R"((?:a|b)+)", std::string(300'000, 'a')), testing::SizeIs(1));
}

TEST(Regex, CatastrophicPatternsGiveUp) {
  EXPECT_THROW(matches("(?:a+)+[bc]", std::string(60, 'a')), DataError);
}

class RefusedRegex : public testing::TestWithParam<const char*> {};

TEST_P(RefusedRegex, IsRefused) {
  EXPECT_THROW(Regex(translate_regex(GetParam())), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Constructs, RefusedRegex,
                         testing::Values("^a", "a$", R"(\w+)", R"(\bx)", R"((a)\1)", R"(\p{Han})",
                                         R"(\p{^L})", "[[:alpha:]]", "[a&&b]", "[a", "(a", "a)",
                                         "(?i)a", "(?i:stop)", "(?i:\u00e9)", R"((?i:\p{L}))",
                                         "a{2}?", "a{2}+", "a{,3}", "{", "a{99999999999}",
                                         R"([\S])", R"(\)", R"(\v)", R"(\R)", "(?<name>a)",
                                         "(*UTF)a", "a*", "a|", "(?#comment)", R"(\pL)",
                                         R"(\x41)"));

}  // namespace
}  // namespace niah::models
