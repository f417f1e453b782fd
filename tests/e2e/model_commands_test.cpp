// The commands that need libtorch from outside: help, wrong command lines, and what needs no run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"
#include "tests/temporary_folder.h"

namespace niah::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(ModelCommands, HelpAndWrongCommandLines) {
  for (const char* command : {"reproduce", "run", "restore", "diagnose", "replay", "info", "verify",
                              "selftest", "train"}) {
    const Outcome own = niah(std::string(command) + " --help");
    EXPECT_EQ(own.code, 0);
    EXPECT_THAT(own.output, HasSubstr("Example:")) << command;
  }
  EXPECT_EQ(niah("run").code, 2);
  EXPECT_EQ(niah("reproduce --quick --full").code, 2);
  const Outcome misspelt = niah("reproduce --quikc");
  EXPECT_EQ(misspelt.code, 2);
  EXPECT_THAT(misspelt.output,
              HasSubstr("'--quikc' is not expected here, did you mean '--quick'?"));
}

TEST(ModelCommands, ARepeatedOptionTakesOneValueAtATime) {
  // The config is not taken for a second value of --set, and is not there.
  const TemporaryFolder folder;
  const std::string out = (folder.path() / "run").string();
  const Outcome outcome = niah("run --set samples=3 --set seed=1 no-such.yaml --out " + out);
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.output, HasSubstr("no-such.yaml"));
}

TEST(ModelCommands, ANumberOutOfItsRangeIsRefusedAndTheRangeNamed) {
  const std::string pair = " --pre a --post b --out /no/such ";
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"diagnose" + pair + "--lambda nan", "--lambda: expected a number of at least 0, got 'nan'"},
      {"restore" + pair + "--method qk --alpha 1.5", "--alpha: expected a number from 0 to 1"},
      {"selftest x --chunk 99999999999999999999", "--chunk: expected an integer from 1 to"}};
  for (const auto& [command, why] : refused) {
    const Outcome outcome = niah(command);
    EXPECT_EQ(outcome.code, 2) << command;
    EXPECT_THAT(outcome.output, HasSubstr(why)) << command;
  }
}

TEST(ModelCommands, VerifyAgreesWithTheReference) {
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
