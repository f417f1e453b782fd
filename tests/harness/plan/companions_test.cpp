#include "harness/plan/companions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "harness/plan/run_folder.h"
#include "tests/harness/plan/plain_record.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

void write_run(const fs::path& folder, const std::string& title) {
  reports::RunInfo info;
  info.name = "sweep";
  info.title = title;
  info.protocol = "niah";
  info.tasks = {"s1"};
  info.lengths = {4096};
  info.variants = {{"v", "model", "base", ""}};
  info.planned = {{"recall", "s1", 4096, 2, false}};
  fs::create_directories(folder);
  write_file(folder / "plan.json", nlohmann::json(info).dump());
  write_file(folder / "journal.jsonl", nlohmann::json(plain_record(0)).dump() + "\n" +
                                           nlohmann::json(plain_record(1)).dump() + "\n");
}

std::string page_of(const fs::path& run) { return read_file(run / "report.html", "test"); }

TEST(Companions, AreSectionsOfTheRunsPageAndHaveTheirOwn) {
  const TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  write_run(run, "The story");
  EXPECT_TRUE(draw_again(run).companions.empty());
  EXPECT_THAT(page_of(run), Not(HasSubstr("A run of its own")));

  write_run(companion_folder(run, "plain"), "Without <the> device");
  const reports::Report report = draw_again(run);
  ASSERT_EQ(report.companions.size(), 1U);
  EXPECT_THAT(page_of(run),
              AllOf(HasSubstr("<h1>The story"), HasSubstr("Without &lt;the&gt; device"),
                    HasSubstr("href=\"beside/plain/report.html\""),
                    HasSubstr("A run of its own, on other samples.")));
  EXPECT_THAT(page_of(run / "beside" / "plain"), HasSubstr("<h1>Without &lt;the&gt; device"));
}

TEST(Companions, ABrokenOneIsNamedAndTheStoryIsDrawn) {
  const TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  write_run(run, "The story");
  fs::create_directories(companion_folder(run, "b"));
  write_file(companion_folder(run, "b") / "plan.json", "{");
  fs::create_directories(companion_folder(run, "notes"));
  write_file(companion_folder(run, "notes") / "mine.txt", "no run");
  ASSERT_EQ(draw_again(run).companions.size(), 1U);
  EXPECT_THAT(page_of(run), AllOf(HasSubstr("<h1>The story"), HasSubstr("could not be read"),
                                  HasSubstr("beside/b/plan.json")));
}

}  // namespace
}  // namespace niah
