#include "models/decode/prompt_lookup.h"

#include <gtest/gtest.h>

#include <numeric>

namespace niah::models {
namespace {

using Ids = std::vector<std::int64_t>;

TEST(PromptLookup, GoesOnAsTheTextDidTheLastTime) {
  const Ids text = {1, 2, 3, 4, 5, 9, 1, 2, 3, 7, 8, 6, 0, 1, 2, 3};
  PromptLookup lookahead(text);
  EXPECT_EQ(lookahead.guess(2), (Ids{7, 8}));  // the nearer of the two places
}

TEST(PromptLookup, TwoTokensInARowAreNoReason) {
  const Ids text = {1, 2, 3, 4, 9, 2, 3};
  PromptLookup lookahead(text);
  EXPECT_TRUE(lookahead.guess(8).empty());
}

TEST(PromptLookup, ARepetitionGoesOnBeyondTheTextsEnd) {
  const Ids text = {5, 1, 2, 1, 2, 1, 2};
  PromptLookup lookahead(text);
  EXPECT_EQ(lookahead.guess(4), (Ids{1, 2, 1, 2}));
  const Ids same(5, 7);
  EXPECT_EQ(PromptLookup(same).guess(4), (Ids{7, 7, 7, 7}));
}

TEST(PromptLookup, GuessesNoMoreThanThereIsRoomForAndNothingInShortTexts) {
  const Ids same(5, 7);
  EXPECT_EQ(PromptLookup(same).guess(1).size(), 1U);
  EXPECT_TRUE(PromptLookup(same).guess(0).empty());
  for (std::size_t size = 0; size <= 3; ++size)
    EXPECT_TRUE(PromptLookup(Ids(size, 7)).guess(4).empty()) << size;
}

TEST(PromptLookup, GuessesMoreAfterSuccessAndPausesAfterFailure) {
  const Ids same(5, 7);
  PromptLookup lookahead(same);
  std::size_t length = lookahead.guess(100).size();
  for (int i = 0; i < 10; ++i) {
    lookahead.learn(length, length);
    const std::size_t next = lookahead.guess(100).size();
    EXPECT_GE(next, length);
    length = next;
  }
  EXPECT_EQ(length, 32U);
  std::size_t longest_pause = 0;
  for (int i = 0; i < 10; ++i) {
    lookahead.learn(length, 0);
    std::size_t pause = 0;
    while (lookahead.guess(100).empty()) ++pause;
    EXPECT_GE(pause, 1U);
    longest_pause = std::max(longest_pause, pause);
    length = 2;
  }
  EXPECT_EQ(longest_pause, 16U);
}

}  // namespace
}  // namespace niah::models
