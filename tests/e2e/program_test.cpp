// The program from outside: help, wrong command lines, and commands that need neither run nor
// model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "harness/base/files.h"
#include "tests/e2e/program.h"
#include "tests/temporary_folder.h"

namespace niah::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(Program, HelpAndVersionAndWrongCommandLines) {
  const Outcome help = niah("--help");
  EXPECT_EQ(help.code, 0);
  for (const char* command :
       {"reproduce", "run", "restore", "diagnose", "replay", "info", "verify", "selftest", "train"})
    EXPECT_THAT(help.output, HasSubstr(command));
  for (const char* command : {"report", "merge", "regress", "show", "generate", "tokenize"}) {
    EXPECT_THAT(help.output, HasSubstr(command));
    const Outcome own = niah(std::string(command) + " --help");
    EXPECT_EQ(own.code, 0);
    EXPECT_THAT(own.output, HasSubstr("Example:")) << command;
  }
  EXPECT_THAT(niah("--version").output, HasSubstr("niah "));
  EXPECT_EQ(niah("").code, 2);
  EXPECT_EQ(niah("frobnicate").code, 2);
  EXPECT_EQ(niah("report").code, 2);
}

TEST(Program, WrongWordsAreNamedWithWhatTheyMayMean) {
  EXPECT_THAT(niah("reprodce").output,
              HasSubstr("no command 'reprodce', did you mean 'reproduce'?"));
  EXPECT_THAT(niah("generate --taks s1").output, HasSubstr("'--taks' is not expected here, did you "
                                                           "mean '--task'?"));
  EXPECT_EQ(niah("reprodce").code, 2);
  EXPECT_EQ(niah("generate --taks s1").code, 2);
}

TEST(Program, ANumberOutOfItsRangeIsRefusedAndTheRangeNamed) {
  const std::string generate =
      "generate --task s2 --length 1K --haystack prose --tokenizer " NIAH_SOURCE_DIR
      "/models/zoo/tokenizer ";
  const std::vector<std::pair<std::string, std::string>> refused = {
      {generate + "--seed -1", "--seed: expected an integer of at least 0, got '-1'"},
      {generate + "--seed 18446744073709551616", "got '18446744073709551616'"},
      {generate + "--samples 0", "--samples: expected an integer from 1 to 1,000,000, got '0'"},
      {generate + "--samples 1e3", "got '1e3'"},
      {"regress --baseline a --current b --alpha nan",
       "expected a number from above 0 to below 1"}};
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

TEST(Program, TokenizeWritesTheIdsOfEachLine) {
  const Outcome outcome = niah("tokenize --tokenizer " NIAH_SOURCE_DIR
                               "/models/zoo/tokenizer < " NIAH_TEST_DATA "/no-such-file");
  EXPECT_NE(outcome.code, 0);
  const TemporaryFolder folder;
  write_file(folder.path() / "texts", "\"Hello world\"\n\"\"\n");
  const Outcome ids = niah("tokenize --tokenizer " NIAH_SOURCE_DIR "/models/zoo/tokenizer < " +
                           (folder.path() / "texts").string());
  ASSERT_EQ(ids.code, 0) << ids.output;
  std::istringstream lines(ids.output);
  std::string first, second;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_GT(json::parse(first).size(), 1U);
  EXPECT_LE(json::parse(second).size(), 1U);
}

}  // namespace
}  // namespace niah::e2e
