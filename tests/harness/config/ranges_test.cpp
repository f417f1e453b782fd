#include "harness/config/ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"
#include "tests/refusal.h"

namespace niah {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refused_length(const std::string& text) {
  return refusal_of<UsageError>([&] { parse_length_range(text); });
}

std::string refused_depth(const std::string& text) {
  return refusal_of<UsageError>([&] { parse_depth_range(text); });
}

TEST(LengthRange, IsOneLengthOrDoublesOrHasAStep) {
  EXPECT_THAT(parse_length_range("6000"), ElementsAre(6000));
  EXPECT_THAT(parse_length_range("4K..32K"), ElementsAre(4096, 8192, 16384, 32768));
  EXPECT_THAT(parse_length_range(" 1000 .. 3000 step 1000 "), ElementsAre(1000, 2000, 3000));
  EXPECT_EQ(parse_length_range("4K..64K step 4K").size(), 16U);
  EXPECT_THAT(parse_length_range("512M..1024M"), ElementsAre(1LL << 29, 1LL << 30));
}

TEST(LengthRange, RefusesAnEndThatIsNotReached) {
  EXPECT_THAT(refused_length("4K..48K"),
              HasSubstr("48K is not reached by doubling: 32K comes before it and 64K after"));
  EXPECT_THAT(refused_length("4K..64K step 8K"),
              HasSubstr("64K is not reached in steps of 8K: 60K comes before it and 68K after"));
  EXPECT_THAT(refused_length("1..1024M step 1"), HasSubstr("more than 1000 steps"));
  EXPECT_THAT(refused_length("8K..4K"), HasSubstr("from a smaller to a larger"));
  EXPECT_THAT(refused_length("8K..8K"), HasSubstr("from a smaller to a larger"));
}

TEST(LengthRange, RefusesWhatIsNoRange) {
  for (const char* bad : {"", "..", "4K..", "..4K", "4K...8K", "4K..8K step", "4K..8K step 0",
                          "4K..8K by 1K", "4K-8K", "0..4K", "4K..2000M"})
    EXPECT_THAT(refused_length(bad), HasSubstr("expected a length such as 4096 or 4K")) << bad;
}

TEST(DepthRange, IsOneDepthOrHasAStep) {
  EXPECT_THAT(parse_depth_range("25"), ElementsAre(25));
  EXPECT_THAT(parse_depth_range("12.5%"), ElementsAre(12.5));
  EXPECT_THAT(parse_depth_range("0..100 step 25"), ElementsAre(0, 25, 50, 75, 100));
  EXPECT_THAT(parse_depth_range("10%..30% step 10%"), ElementsAre(10, 20, 30));
  EXPECT_EQ(parse_depth_range("0..100 step 0.1").size(), 1001U);
  EXPECT_EQ(parse_depth_range("0..100 step 0.1").back(), 100);
}

TEST(DepthRange, RefusesWhatIsNoneOrNotReached) {
  EXPECT_THAT(refused_depth("0..100"), HasSubstr("needs its step, such as 0..100 step 10"));
  EXPECT_THAT(refused_depth("0..100 step 30"),
              HasSubstr("100 is not reached from 0 in steps of 30"));
  EXPECT_THAT(refused_depth("50..10 step 10"), HasSubstr("10 is not reached from 50"));
  EXPECT_THAT(refused_depth("0..100 step 0.01"), HasSubstr("more than 1000 steps"));
  for (const char* bad : {"", "101", "-1", "half", "nan", "5 %", "10..", "0..100 step 0", "1e9"})
    EXPECT_THAT(refused_depth(bad), HasSubstr("expected depths in percent from 0 to 100")) << bad;
}

TEST(Depths, AreEvenlySpacedAndWrittenAsTheyAreRead) {
  EXPECT_THAT(even_depths(1), ElementsAre(50));
  EXPECT_THAT(even_depths(5), ElementsAre(0, 25, 50, 75, 100));
  for (const double depth : even_depths(7))
    EXPECT_THAT(parse_depth_range(depth_text(depth)), ElementsAre(depth));
}

}  // namespace
}  // namespace niah
