// Repairing a checkpoint, and looking inside, as a person does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

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
  // Killed as soon as so many files are being written, under whatever name: from the first to all.
  const auto being_written = [&](const fs::path& folder) {
    std::size_t count = 0;
    std::error_code gone;  // names change under our eyes
    for (fs::recursive_directory_iterator at(folder, gone), end; !gone && at != end;
         at.increment(gone))
      count += at->is_regular_file(gone) ? 1 : 0;
    return count;
  };
  int killed_at_work = 0;
  for (std::size_t written = 1; written <= whole.size(); ++written) {
    const fs::path folder = path("try" + std::to_string(written));
    fs::create_directories(folder);
    const std::string out = (folder / "out").string();
    Background restore({"restore", "--pre", kZoo + "/base", "--post", kZoo + "/cot-sft",
                        "--method", "qk-pro", "--out", out});
    EXPECT_TRUE(restore.wait_until([&] { return being_written(folder) >= written; }));
    const int status = restore.end_with(SIGKILL);
    if (WIFSIGNALED(status) && being_written(folder) > 0) ++killed_at_work;
    if (fs::exists(out)) {
      EXPECT_EQ(files(out), whole) << "half written under the final name";
    }
  }
  EXPECT_GT(killed_at_work, 0) << "restore was never caught at work";
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
