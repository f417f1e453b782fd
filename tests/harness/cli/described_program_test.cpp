#include "harness/cli/described_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/cli/tiny_program.h"

namespace niah {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(DescribedProgram, ListsEveryCommandThatIsNotHidden) {
  const DescribedProgram program = tiny_program();
  EXPECT_EQ(program.itself.name, "niah");
  EXPECT_EQ(program.version, "1.2");
  EXPECT_THAT(program.names(), ElementsAre("draw", "look"));
  ASSERT_EQ(program.itself.options.size(), 2U);
  EXPECT_THAT(program.itself.options[0].names, ElementsAre("-h", "--help"));
  EXPECT_THAT(program.itself.options[1].names, ElementsAre("--version"));
}

TEST(DescribedProgram, SaysOfAnOptionWhatCli11WasTold) {
  const DescribedCommand draw = tiny_program().commands.front();
  ASSERT_EQ(draw.arguments.size(), 1U);
  EXPECT_THAT(draw.arguments[0].names, ElementsAre("runs"));
  EXPECT_EQ(draw.arguments[0].value, "DIR");
  EXPECT_TRUE(draw.arguments[0].may_repeat);
  ASSERT_EQ(draw.options.size(), 7U);
  const DescribedOption& out = draw.options[1];
  EXPECT_THAT(out.names, ElementsAre("--out"));
  EXPECT_EQ(out.value, "FILE");
  EXPECT_EQ(out.description, "Where to");
  EXPECT_TRUE(out.is_required);
  EXPECT_FALSE(out.may_repeat);
  EXPECT_EQ(draw.options[2].default_value, "fp32");
  EXPECT_EQ(draw.options[4].default_value, "3");
  EXPECT_TRUE(draw.options[5].may_repeat);
  EXPECT_EQ(draw.options[6].value, "");
  EXPECT_EQ(draw.options[6].default_value, "");
}

TEST(DescribedProgram, ExamplesComeWithoutTheirHeading) {
  EXPECT_THAT(tiny_program().commands.front().examples,
              ElementsAre("niah draw a b", "niah draw a \\", "  --out b"));
}

TEST(ValueWords, ArePathsAndChoicesByTheirNames) {
  using Path = ValueWords::Path;
  EXPECT_EQ(value_words("FILE").path, Path::kFile);
  EXPECT_EQ(value_words("DIR").path, Path::kFolder);
  const ValueWords mixed = value_words("{kjv|prose|PATH}");
  EXPECT_EQ(mixed.path, Path::kAny);
  EXPECT_THAT(mixed.choices, ElementsAre("kjv", "prose"));
  EXPECT_THAT(value_words("{auto|cpu|cuda:N}").choices, ElementsAre("auto", "cpu"));
  for (const char* unknown : {"INT", "KEY=VALUE", ""}) {
    EXPECT_EQ(value_words(unknown).path, Path::kNone);
    EXPECT_THAT(value_words(unknown).choices, IsEmpty());
  }
}

}  // namespace
}  // namespace niah
