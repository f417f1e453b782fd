#include "harness/plan/run_mark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

#include "harness/base/files.h"
#include "harness/base/path_kind.h"
#include "harness/base/sha256.h"
#include "tests/paths.h"
#include "tests/refusal.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// A folder that holds a run.
class RunMark : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::copy_file(NIAH_SOURCE_DIR "/tests/data/cli/night/plan.json",
                               folder() / "plan.json");
  }
  const std::filesystem::path& folder() const { return folder_.path(); }
  LastRun last() const { return read_last_run(folder()).value(); }

 private:
  TemporaryFolder folder_;
};

TEST_F(RunMark, AFolderOfAnEarlierVersionHasNone) { EXPECT_FALSE(read_last_run(folder())); }

TEST(RunMarks, APlanThatIsNoRunsGetsNone) {
  const TemporaryFolder folder;
  folder.write("plan.json", R"({"my": "plan"})");
  EXPECT_ANY_THROW(with_mark(folder.path(), []() -> ExitCode { throw UsageError("refused"); }));
  EXPECT_FALSE(is_there(folder.path() / kLastRunFile));
}

TEST_F(RunMark, SaysHowTheLastRunEnded) {
  mark_begun(folder());
  EXPECT_FALSE(last().ended_well());
  EXPECT_THAT(last().trouble(), AllOf(HasSubstr("begun 2"), HasSubstr("was killed")));
  mark_failed(folder(), "no \xFF memory");
  EXPECT_FALSE(last().ended_well());
  EXPECT_THAT(last().trouble(), HasSubstr("was refused or ended early: no \uFFFD memory"));
  mark_ended(folder(), "{}");
  EXPECT_TRUE(last().ended_well());
  EXPECT_EQ(last().config_sha256, sha256_hex("{}"));
  remove_mark(folder());
  EXPECT_FALSE(read_last_run(folder()));
}

TEST_F(RunMark, IsThereWhileWorkIsDoneAndKeepsWhyItFailed) {
  const auto fails_with = [&](const std::function<void()>& fail) {
    const auto work = [&] {
      EXPECT_TRUE(last().ended.empty());
      fail();
      return ExitCode::kOk;
    };
    EXPECT_ANY_THROW(with_mark(folder(), work));
    return last().error;
  };
  EXPECT_EQ(fails_with([] { throw UsageError("no\nsuch key"); }), "no\\nsuch key");
  EXPECT_EQ(fails_with([] { throw Interrupted("interrupted"); }), "interrupted");
  EXPECT_EQ(fails_with([] { throw std::bad_alloc(); }), "out of memory");
  EXPECT_EQ(fails_with([] { throw std::runtime_error("shapes\nframe #0"); }), "shapes");
  EXPECT_EQ(fails_with([] { throw 1; }), "an error without words");
}

TEST_F(RunMark, IsWrittenIntoNoFolderThatHoldsNoRun) {
  const TemporaryFolder other;
  const auto fail = []() -> ExitCode { throw UsageError("no"); };
  EXPECT_THROW(with_mark(other.path(), fail), UsageError);
  EXPECT_THROW(with_mark(other.path() / "new", fail), UsageError);
  EXPECT_THROW(with_mark("", fail), UsageError);
  EXPECT_TRUE(std::filesystem::is_empty(other.path()));
}

TEST_F(RunMark, ThatCannotBeReadIsNoRunThatEnded) {
  for (const char* bad :
       {"", "nonsense", "[]", "{}", "{\"started\": 1}", "{\"started\": \"a\", \"ended\": null}"}) {
    write_file(folder() / kLastRunFile, bad);
    EXPECT_THAT(refusal_of([&] { read_last_run(folder()); }), HasSubstr(kLastRunFile)) << bad;
  }
  mark_ended(folder(), "{}");
  EXPECT_TRUE(last().ended_well()) << "the next run replaces it";
}

}  // namespace
}  // namespace niah
