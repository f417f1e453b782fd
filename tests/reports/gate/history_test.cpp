#include "reports/gate/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "tests/reports/synthetic_run.h"
#include "tests/temporary_folder.h"

namespace niah::reports {
namespace {

using testing::HasSubstr;
using testing::Not;

Results finished_at(const std::string& time, bool lost) {
  RunInfo info = nightly_info();
  info.finished = time;
  const auto is_hit = [&](std::int64_t length, std::int64_t index) {
    return !(lost && length == 65536 && index % 3 == 0);
  };
  return nightly(200, is_hit, info);
}

GateRun night(const std::string& time, bool lost = false) {
  const Results baseline = finished_at("2026-01-01T00:00:00Z", false),
                current = finished_at(time, lost);
  return make_night(gate(baseline, current), current);
}

TEST(History, ANightSaysWhatTheGateFound) {
  const GateRun quiet = night("2026-01-02T03:00:00Z"), red = night("2026-01-03T03:00:00Z", true);
  EXPECT_EQ(quiet.exit_code, 0);
  EXPECT_TRUE(quiet.regressions.empty());
  ASSERT_EQ(red.cells.size(), 2U);
  EXPECT_EQ(red.exit_code, 1);
  EXPECT_EQ(red.cells[1].outcome, "regression");
  EXPECT_EQ(red.cells[1].hits, 133);
  EXPECT_EQ(red.cells[1].n, 200);
  EXPECT_THAT(red.regressions.at(0), HasSubstr("64K"));
}

TEST(History, ReadsWhatItWroteAndSurvivesATornLine) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "history.jsonl";
  const GateRun first = night("2026-01-02T03:00:00Z"), second = night("2026-01-03T03:00:00Z", true);
  append_night(path, first);
  write_file(path, read_file(path, "test") + "{\"time\": \"2026-0");
  EXPECT_EQ(read_history(path), std::vector<GateRun>{first});
  append_night(path, second);
  append_night(path, second);  // the same night again
  EXPECT_EQ(read_history(path), (std::vector<GateRun>{first, second}));
}

TEST(History, TwoRunsThatEndInTheSameSecondAreTwoNights) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "history.jsonl";
  GateRun one = night("2026-01-02T03:00:00Z"), other = one, unknown = one;
  one.run = "nights/1/results.json";
  other.run = "nights/2/results.json";
  for (const GateRun& run : {one, other, one, unknown}) append_night(path, run);
  EXPECT_EQ(read_history(path), (std::vector<GateRun>{one, other}));
}

TEST(History, ARefusedNightHasItsReasonAndDoesNotHideANightOfTheSameTime) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "history.jsonl";
  const std::string time = "2026-01-02T03:00:00Z";
  const GateRun refused = make_refused_night(time, ExitCode::kUsage, "the <seed> differs");
  append_night(path, refused);
  append_night(path, refused);
  append_night(path, night(time));
  EXPECT_EQ(read_history(path), (std::vector<GateRun>{refused, night(time)}));
  const std::string page = trend_page(read_history(path), "nights");
  EXPECT_THAT(page, HasSubstr("Nights that were not compared"));
  EXPECT_THAT(page, HasSubstr("2026-01-02  the &lt;seed&gt; differs"));
}

TEST(History, RefusesWhatIsNoNightWithFileAndLine) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "history.jsonl";
  append_night(path, night("2026-01-02T03:00:00Z"));
  const std::string good = read_file(path, "test");
  for (const std::string& bad : {std::string("{}\n"), std::string("nonsense\n"),
                                 std::string("{\"time\":1,\"exit_code\":0,\"regressions\":[],"
                                             "\"cells\":[]}\n")}) {
    write_file(path, good + bad);
    try {
      read_history(path);
      FAIL() << bad;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("history.jsonl:2")) << bad;
    }
  }
}

TEST(TrendPage, ShowsEveryNightAndEscapesNames) {
  GateRun hostile = night("2026-01-04T03:00:00Z", true);
  for (NightCell& cell : hostile.cells) cell.variant = "<script>alert(1)</script>";
  const std::string page = trend_page(
      {night("2026-01-02T03:00:00Z"), night("2026-01-03T03:00:00Z", true), hostile}, "a <b> title");
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page, HasSubstr("1 passed, 2 recall lost"));
  EXPECT_THAT(page, HasSubstr("2026-01-03: recall lost"));
  EXPECT_THAT(page, HasSubstr("66.5"));
  EXPECT_THAT(trend_page({}, "empty"), HasSubstr("0 nights"));
}

}  // namespace
}  // namespace niah::reports
