// A program built without libtorch lists every command, and those that need libtorch say that it is
// missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/program.h"
#include "tests/paths.h"

namespace niah::e2e {
namespace {

TEST(WithoutTorch, CommandsThatNeedItSaySoInOneLineWhateverTheirArguments) {
  for (const std::string command :
       {"reproduce", "restore", "diagnose", "replay", "verify", "selftest", "train"})
    for (const char* arguments : {"", "--help", "sweep.yaml --out runs/a", "report --version",
                                  "-- -x --pre a --pre b", "--no-such-option=3 run"}) {
      const Outcome outcome = niah(command + " " + arguments);
      EXPECT_EQ(outcome.code, 3) << command << " " << arguments;
      EXPECT_EQ(outcome.output, "niah: " + command +
                                    " needs libtorch, and this program was built without it: "
                                    "build with cmake --preset release\n");
    }
}

TEST(WithoutTorch, ASweepRunsUnlessAVariantOfItIsComputedHere) {
  const std::string sweep = "run " NIAH_SOURCE_DIR "/configs/served.yaml --dry-run";
  const Outcome local = niah(sweep);
  EXPECT_EQ(local.code, 3);
  EXPECT_EQ(local.output,
            "niah: 'model base' is computed here, which needs libtorch, and this program was built "
            "without it: build with cmake --preset release, or ask served models alone\n");
  const Outcome served =
      niah(sweep +
           " --set 'models=[{name: m, served: {url: \"http://localhost:9/v1\", model: m}}]'"
           " --set tokenizer=../models/zoo/tokenizer --set samples=2 --set lengths=1K"
           " --set 'haystack={kind: prose}'");
  EXPECT_EQ(served.code, 0) << served.output;
  EXPECT_THAT(served.output, testing::HasSubstr("S3@1K"));
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
