// A program without libtorch lists every command, and says of those that need it what is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/program.h"
#include "tests/paths.h"

namespace niah::e2e {
namespace {

TEST(WithoutTorch, CommandsThatNeedItSaySoInOneLineWhateverTheirArguments) {
  for (const std::string command :
       {"reproduce", "run", "restore", "diagnose", "replay", "verify", "selftest", "train"})
    for (const char* arguments : {"", "--help", "sweep.yaml --out runs/a", "report --version",
                                  "-- -x --pre a --pre b", "--no-such-option=3 run"}) {
      const Outcome outcome = niah(command + " " + arguments);
      EXPECT_EQ(outcome.code, 3) << command << " " << arguments;
      EXPECT_EQ(outcome.output, "niah: " + command +
                                    " needs libtorch, and this program was built without it: "
                                    "build with cmake --preset release\n");
    }
}

TEST(WithoutTorch, InfoSaysWhatTheHeadersSay) {
  const Outcome outcome = niah("info " NIAH_SOURCE_DIR "/models/zoo/base");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  for (const char* line : {"architecture   hypenet", "numbers in all", "stored as", "tokenizer",
                           "without libtorch", "weights sha256 "})
    EXPECT_THAT(outcome.output, testing::HasSubstr(line));
  EXPECT_EQ(niah("info " NIAH_TEST_DATA "/no-such-folder").code, 3);
}

}  // namespace
}  // namespace niah::e2e
