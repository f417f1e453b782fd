// A program built without libtorch lists every command, and those that need libtorch say that it is
// missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/program.h"
#include "tests/paths.h"
#include "tests/temporary_folder.h"

namespace niah::e2e {
namespace {

TEST(WithoutTorch, CommandsThatNeedItSaySoInOneLineWhateverTheirArguments) {
  for (const std::string command :
       {"reproduce", "diagnose", "attribute", "replay", "verify", "selftest", "train"})
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

TEST(WithoutTorch, RestoreCopiesAndRefusesWhatHasToBeComputed) {
  const TemporaryFolder folder;
  const std::string pair = "restore --pre " NIAH_SOURCE_DIR
                           "/models/zoo/base --post " NIAH_SOURCE_DIR "/models/zoo/cot-sft --out " +
                           (folder.path() / "out").string();
  for (const std::string what : {"the method qk-pro", "alpha 0.5"}) {
    const Outcome outcome =
        niah(pair + (what == "alpha 0.5" ? " --method qk --alpha 0.5" : " --method qk-pro"));
    EXPECT_EQ(outcome.code, 3);
    EXPECT_EQ(outcome.output,
              "niah: restoring: " + what +
                  " needs arithmetic of libtorch, and this program was built without it, so it "
                  "copies alone (qk, q, k, v and parts, between checkpoints without adapters); "
                  "build with cmake --preset release\n");
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
  const Outcome copied = niah(pair + " --method qk");
  EXPECT_EQ(copied.code, 0);
  EXPECT_THAT(copied.output, testing::HasSubstr("2 tensors of layer 3 from"));
}

}  // namespace
}  // namespace niah::e2e
