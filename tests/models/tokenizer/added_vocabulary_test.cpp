#include "models/tokenizer/added_vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace niah::models {
namespace {

AddedToken token(TokenId id, const std::string& content) {
  AddedToken out;
  out.id = id;
  out.content = content;
  return out;
}

/// The matched parts, written as "text" and "[id:text]".
std::string shown(const AddedTokenMatcher& matcher, std::string_view text) {
  std::string out;
  for (const auto& part : matcher.split(text)) {
    const std::string inside(part.text);
    out += part.token ? "[" + std::to_string(part.token->id) + ":" + inside + "]" : inside;
  }
  return out;
}

AddedTokenMatcher matcher_of(std::vector<AddedToken> tokens) {
  return AddedTokenMatcher(std::move(tokens));
}

TEST(AddedTokens, LeftmostThenLongest) {
  const auto matcher = matcher_of({token(1, "<a>"), token(2, "<a>b"), token(3, "b<")});
  EXPECT_EQ(shown(matcher, "x<a>by<a>"), "x[2:<a>b]y[1:<a>]");
  EXPECT_EQ(shown(matcher, "b<a>"), "[3:b<]a>");
  EXPECT_EQ(shown(matcher, "<a"), "<a");
  EXPECT_EQ(shown(matcher, ""), "");
  EXPECT_EQ(shown(matcher_of({}), "x<a>"), "x<a>");
}

TEST(AddedTokens, SingleWordsStandAlone) {
  AddedToken word = token(1, "the");
  word.single_word = true;
  const auto matcher = matcher_of({word});
  EXPECT_EQ(shown(matcher, "the theme, bathe the"), "[1:the] theme, bathe [1:the]");
  EXPECT_EQ(shown(matcher, "éthe the\u0301 (the)"), "éthe the\u0301 ([1:the])");
}

TEST(AddedTokens, StripTheSpacesAroundThem) {
  AddedToken mask = token(1, "<m>");
  mask.lstrip = mask.rstrip = true;
  const auto matcher = matcher_of({mask});
  EXPECT_EQ(shown(matcher, "a \u3000<m> \n b"), "a[1: \u3000<m> \n ]b");
  EXPECT_EQ(shown(matcher, "<m> <m>"), "[1:<m> ][1:<m>]");
}

TEST(AddedTokens, SeamsInsideATokenAreSeen) {
  const auto matcher = matcher_of({token(1, "<|end|>")});
  EXPECT_TRUE(matcher.may_match_across("text <|en", "d|> text"));
  EXPECT_TRUE(matcher.may_match_across("<", "|"));
  EXPECT_TRUE(matcher.may_match_across("e", "n"));
  EXPECT_FALSE(matcher.may_match_across("text e", "n"));
  EXPECT_FALSE(matcher.may_match_across("<|end|>", "x"));
  EXPECT_FALSE(matcher.may_match_across("x", "<|end|>"));
}

}  // namespace
}  // namespace niah::models
