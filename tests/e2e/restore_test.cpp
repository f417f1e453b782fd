// Repairing a checkpoint, and looking inside, as a person does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/base/files.h"
#include "tests/e2e/program.h"
#include "tests/models/support.h"

namespace niah::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kZoo = NIAH_SOURCE_DIR "/models/zoo";
const std::string kPair = "--pre " + kZoo + "/base --post " + kZoo + "/cot-sft ";

class Restore : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (temporary_.path() / name).string(); }
  /// Content of every file of a folder.
  static std::map<std::string, std::string> files(const fs::path& folder) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(folder))
      all[entry.path().filename().string()] = read_file(entry.path(), "test");
    return all;
  }
  TemporaryFolder temporary_;
};

TEST_F(Restore, SaysWhatItDidAndNeverWritesOverAnything) {
  const Outcome first = niah("restore " + kPair + "--method qk --out " + path("qk"));
  EXPECT_EQ(first.code, 0) << first.output;
  EXPECT_THAT(first.output, HasSubstr("2 tensors of layers 3 from"));
  const auto json = nlohmann::json::parse(read_file(path("qk") + "/restore.json", "test"));
  EXPECT_EQ(json["tensors"].size(), 2U);
  const Outcome again = niah("restore " + kPair + "--method qk --out " + path("qk"));
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.output, HasSubstr("holds other things"));
}

TEST_F(Restore, KilledAtAnyMomentLeavesNothingUnderTheFinalName) {
  ASSERT_EQ(niah("restore " + kPair + "--method qk-pro --out " + path("whole")).code, 0);
  const auto whole = files(path("whole"));
  int finished = 0, killed = 0;
  for (int i = 0; i < 14; ++i) {
    const std::string out = path("out" + std::to_string(i));
    const pid_t child = ::fork();
    if (child == 0) {
      ::freopen("/dev/null", "w", stdout);
      ::freopen("/dev/null", "w", stderr);
      ::execl(NIAH_PROGRAM, "niah", "restore", "--pre", (kZoo + "/base").c_str(), "--post",
              (kZoo + "/cot-sft").c_str(), "--method", "qk-pro", "--out", out.c_str(), nullptr);
      ::_exit(127);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + 20 * i));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!fs::exists(out)) {
      ++killed;
      continue;
    }
    ++finished;
    EXPECT_EQ(files(out), whole) << "half written under the final name";
  }
  EXPECT_EQ(finished + killed, 14);
}

TEST_F(Restore, AFullDiskIsOneClearLine) {
  // A limit on file sizes stands in for the disk: the same error path, without a file system.
  const Outcome full = niah("restore " + kPair + "--method qk --out " + path("out"),
                            "trap '' XFSZ; ulimit -f 2000;");
  EXPECT_EQ(full.code, 3) << full.output;
  EXPECT_EQ(std::count(full.output.begin(), full.output.end(), '\n'), 1) << full.output;
  EXPECT_THAT(full.output, HasSubstr("File too large"));
  EXPECT_THAT(full.output, HasSubstr("model.safetensors"));
  EXPECT_TRUE(fs::is_empty(temporary_.path())) << "something was left behind";
}

TEST_F(Restore, DiagnoseWritesItsPageAndSaysTheMainThings) {
  const Outcome outcome = niah("diagnose " + kPair + "--tokenizer " + kZoo +
                               "/tokenizer --haystack prose --length 1K " +
                               "--samples 2 --quiet --out " + path("inside"));
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("The fine-tune moved the softmax layers' Q by"));
  EXPECT_THAT(outcome.output, HasSubstr("Mean attention distance"));
  EXPECT_THAT(read_file(path("inside") + "/diagnose.html", "test"), HasSubstr("</html>"));
  for (const char* table : {"drift-layers", "drift-tensors", "routing", "attention"})
    EXPECT_TRUE(fs::exists(path("inside") + "/diagnosis/" + table + ".csv")) << table;
}

}  // namespace
}  // namespace niah::e2e
