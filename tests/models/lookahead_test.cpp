#include "models/lookahead.h"

#include <gtest/gtest.h>

#include <numeric>

namespace niah::models {
namespace {

using Ids = std::vector<std::int64_t>;

TEST(Lookahead, GoesOnAsTheTextDidTheLastTime) {
  const Ids text = {1, 2, 3, 4, 5, 9, 1, 2, 3, 7, 8, 6, 0, 1, 2, 3};
  Lookahead lookahead(text);
  EXPECT_EQ(lookahead.guess(2), (Ids{7, 8}));  // the nearer of the two places
}

TEST(Lookahead, TwoTokensInARowAreNoReason) {
  const Ids text = {1, 2, 3, 4, 9, 2, 3};
  Lookahead lookahead(text);
  EXPECT_TRUE(lookahead.guess(8).empty());
}

TEST(Lookahead, ARepetitionGoesOnBeyondTheTextsEnd) {
  const Ids text = {5, 1, 2, 1, 2, 1, 2};
  Lookahead lookahead(text);
  EXPECT_EQ(lookahead.guess(4), (Ids{1, 2, 1, 2}));
  const Ids same(5, 7);
  EXPECT_EQ(Lookahead(same).guess(4), (Ids{7, 7, 7, 7}));
}

TEST(Lookahead, GuessesNoMoreThanThereIsRoomForAndNothingInShortTexts) {
  const Ids same(5, 7);
  EXPECT_EQ(Lookahead(same).guess(1).size(), 1U);
  EXPECT_TRUE(Lookahead(same).guess(0).empty());
  for (std::size_t size = 0; size <= 3; ++size)
    EXPECT_TRUE(Lookahead(Ids(size, 7)).guess(4).empty()) << size;
}

TEST(Lookahead, GuessesMoreAfterSuccessAndPausesAfterFailure) {
  const Ids same(5, 7);
  Lookahead lookahead(same);
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
