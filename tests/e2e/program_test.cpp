// The program from outside: help, wrong command lines, and commands that need no run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/program.h"
#include "tests/temporary_folder.h"

namespace niah::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(Program, HelpAndVersionAndWrongCommandLines) {
  const Outcome help = niah("--help");
  EXPECT_EQ(help.code, 0);
  for (const char* command : {"reproduce", "run", "report", "info", "verify", "generate",
                              "tokenize", "train", "show", "replay"}) {
    EXPECT_THAT(help.output, HasSubstr(command));
    const Outcome own = niah(std::string(command) + " --help");
    EXPECT_EQ(own.code, 0);
    EXPECT_THAT(own.output, HasSubstr("Example:")) << command;
  }
  EXPECT_THAT(niah("--version").output, HasSubstr("niah "));
  EXPECT_EQ(niah("").code, 2);
  EXPECT_EQ(niah("frobnicate").code, 2);
  EXPECT_EQ(niah("run").code, 2);
  EXPECT_EQ(niah("reproduce --quick --full").code, 2);
}

TEST(Program, WrongWordsAreNamedWithWhatTheyMayMean) {
  EXPECT_THAT(niah("reprodce").output,
              HasSubstr("no command 'reprodce', did you mean 'reproduce'?"));
  EXPECT_THAT(niah("reproduce --quikc").output, HasSubstr("'--quikc' is not expected here, did you "
                                                          "mean '--quick'?"));
  EXPECT_EQ(niah("reprodce").code, 2);
  EXPECT_EQ(niah("reproduce --quikc").code, 2);
}

TEST(Program, ARepeatedOptionTakesOneValueAtATime) {
  // The config is not taken for a second value of --set, and is not there.
  const TemporaryFolder folder;
  const std::string out = (folder.path() / "run").string();
  const Outcome outcome = niah("run --set samples=3 --set seed=1 no-such.yaml --out " + out);
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.output, HasSubstr("no-such.yaml"));
}

TEST(Program, ANumberOutOfItsRangeIsRefusedAndTheRangeNamed) {
  const std::string generate =
      "generate --task s2 --length 1K --haystack prose --tokenizer " NIAH_SOURCE_DIR
      "/models/zoo/tokenizer ";
  const std::string pair = " --pre a --post b --out /no/such ";
  const std::vector<std::pair<std::string, std::string>> refused = {
      {generate + "--seed -1", "--seed: expected an integer of at least 0, got '-1'"},
      {generate + "--seed 18446744073709551616", "got '18446744073709551616'"},
      {generate + "--samples 0", "--samples: expected an integer from 1 to 1,000,000, got '0'"},
      {generate + "--samples 1e3", "got '1e3'"},
      {"diagnose" + pair + "--lambda nan", "--lambda: expected a number of at least 0, got 'nan'"},
      {"restore" + pair + "--method qk --alpha 1.5", "--alpha: expected a number from 0 to 1"},
      {"regress --baseline a --current b --alpha nan", "expected a number from above 0 to below 1"},
      {"selftest x --chunk 99999999999999999999", "--chunk: expected an integer from 1 to"}};
  for (const auto& [command, why] : refused) {
    const Outcome outcome = niah(command);
    EXPECT_EQ(outcome.code, 2) << command;
    EXPECT_THAT(outcome.output, HasSubstr(why)) << command;
  }
}

TEST(Program, GenerateWritesJsonLines) {
  const Outcome outcome = niah(
      "generate --task s2 --length 1K --samples 2 --seed 3 --haystack prose "
      "--tokenizer " NIAH_SOURCE_DIR "/models/zoo/tokenizer");
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  std::istringstream lines(outcome.output);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const json sample = json::parse(line);
    EXPECT_EQ(sample["index"], count);
    EXPECT_EQ(sample["max_length"], 1024);
    EXPECT_THAT(sample["input"].get<std::string>(),
                HasSubstr(sample["outputs"][0].get<std::string>()));
  }
  EXPECT_EQ(count, 2);
}

TEST(Program, VerifyAgreesWithTheReference) {
  const std::string folder = NIAH_TEST_DATA "/models/hypenet-flags";
  const Outcome good = niah("verify " + folder + " --golden " + folder + "/golden.safetensors");
  EXPECT_EQ(good.code, 0) << good.output;
  EXPECT_LT(json::parse(good.output)["prefill_max_abs_diff"].get<double>(), 1e-4);
  const Outcome strict =
      niah("verify " + folder + " --tolerance 1e-12 --golden " + folder + "/golden.safetensors");
  EXPECT_EQ(strict.code, 1);
}

}  // namespace
}  // namespace niah::e2e
