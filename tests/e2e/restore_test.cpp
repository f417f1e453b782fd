// Kills niah restore at many moments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "harness/base/files.h"
#include "tests/e2e/program.h"
#include "tests/paths.h"
#include "tests/temporary_folder.h"

namespace niah::e2e {
namespace {

namespace fs = std::filesystem;

const std::string kZoo = NIAH_SOURCE_DIR "/models/zoo";
const std::string kPair = "--pre " + kZoo + "/base --post " + kZoo + "/cot-sft ";

class Restore : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (temporary_.path() / name).string(); }
  /// The content of every file in a folder, by name.
  static std::map<std::string, std::string> files(const fs::path& folder) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(folder))
      all[entry.path().filename().string()] = read_file(entry.path(), "test");
    return all;
  }
  TemporaryFolder temporary_;
};

TEST_F(Restore, KilledAtAnyMomentLeavesNothingUnderTheFinalName) {
  ASSERT_EQ(niah("restore " + kPair + "--method qk-pro --out " + path("whole")).code, 0);
  const auto whole = files(path("whole"));
  // Kill it as soon as N files exist, under whatever name, for every N up to the final number.
  const auto being_written = [&](const fs::path& folder) {
    std::size_t count = 0;
    std::error_code gone;  // files are renamed while we look
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
    Background restore({"restore", "--pre", kZoo + "/base", "--post", kZoo + "/cot-sft", "--method",
                        "qk-pro", "--out", out});
    EXPECT_TRUE(restore.wait_until([&] { return being_written(folder) >= written; }));
    const int status = restore.end_with(SIGKILL);
    if (WIFSIGNALED(status) && being_written(folder) > 0) ++killed_at_work;
    if (fs::exists(out)) {
      EXPECT_EQ(files(out), whole) << "half written under the final name";
    }
  }
  EXPECT_GT(killed_at_work, 0) << "restore was never caught at work";
}

}  // namespace
}  // namespace niah::e2e
