// A run compared with several baselines: releases, and earlier nights of the history.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "reports/gate/history.h"
#include "tests/harness/cli/played_run.h"
#include "tests/harness/cli/regress_folder.h"

namespace niah {
namespace {

using nlohmann::json;
using reports::Record;
using testing::HasSubstr;
using testing::StartsWith;

/// `percent` of the samples, spread over depths and lengths.
PlayedRun with_losses(std::int64_t percent, int day = 28) {
  PlayedRun run;
  run.info.finished = fmt::format("2026-01-{:02}T02:00:00Z", day);
  run.lose([&](const Record& record) { return record.index * 37 % 100 < percent; });
  return run;
}

class Baselines : public testing::Test, protected RegressFolder {
 protected:
  /// Plays a night in a folder of its own and compares it.
  int night(const std::string& name, const PlayedRun& run,
            const std::vector<std::string>& options) const {
    run.write(path(name));
    std::filesystem::remove(path("tonight"));
    std::filesystem::create_directory_symlink(path(name), path("tonight"));
    return regress(options);
  }
};

TEST_F(Baselines, TheWorstOfTheComparisonsIsTheVerdictAndNamesItsBaseline) {
  with_losses(40).write(path("baseline"));  // an early release, that found less
  with_losses(0).write(path("release"));
  const std::string release = path("release").string();
  EXPECT_EQ(night("one", with_losses(40), {}), 0);
  EXPECT_EQ(night("one", with_losses(40), {"--baseline", release}), 1);
  EXPECT_THAT(read("regress.md"),
              StartsWith("## Recall was lost against 1 of 2 baselines: " + release));
  EXPECT_THAT(read("regress.md"), HasSubstr("### No recall was lost"));
  const std::string junit = read("regress.xml");
  EXPECT_THAT(junit, HasSubstr(fmt::format("<testsuite name=\"synthetic against {}\"", release)));
  EXPECT_THAT(junit, HasSubstr("failures=\"0\""));
  EXPECT_THAT(junit, HasSubstr("<failure"));
  const json verdict = json::parse(read("regress.json"));
  EXPECT_EQ(verdict.at("exit_code"), 1);
  EXPECT_EQ(verdict.at("verdict"), "regression");
  EXPECT_EQ(verdict.at("comparisons").at(0).at("verdict"), "pass");
  EXPECT_EQ(verdict.at("comparisons").at(1).at("baseline").at("place"), release);
  const auto nights = reports::read_history(path("history.jsonl"));
  EXPECT_EQ(nights.back().exit_code, 0) << "the same run again is the same night";
  EXPECT_EQ(night("two", with_losses(40, 29), {"--baseline", release}), 1);
  const auto last = reports::read_history(path("history.jsonl")).back();
  EXPECT_EQ(last.exit_code, 1);
  EXPECT_EQ(last.cells.at(0).outcome, "regression");
  EXPECT_THAT(last.regressions.at(0), HasSubstr("(against " + release));
}

TEST_F(Baselines, ComparisonsShareAlpha) {
  with_losses(0).write(path("baseline"));
  // 11 of 200 samples lost: enough for one comparison, too little among forty.
  PlayedRun run;
  run.lose([](const Record& record) { return record.length == 4096 && record.index < 11; });
  EXPECT_EQ(night("one", run, {}), 1);
  std::vector<std::string> forty;
  for (int i = 0; i < 39; ++i) {
    forty.push_back("--baseline");
    forty.push_back(path("baseline").string());
  }
  EXPECT_EQ(night("one", run, forty), 4);
}

TEST_F(Baselines, OneThatCannotBeComparedRefusesAllOfThem) {
  with_losses(0).write(path("baseline"));
  PlayedRun other = with_losses(0);
  other.info.seed = 7;
  other.write(path("other"));
  const std::string place = path("other").string();
  EXPECT_EQ(night("one", with_losses(0), {"--baseline", place}), 3);
  EXPECT_THAT(read("regress.md"), StartsWith("## Not compared: "));
  EXPECT_THAT(read("regress.md"), HasSubstr(place));
  EXPECT_EQ(night("one", with_losses(0), {"--baseline", place, "--update-baseline"}), 2);
}

TEST_F(Baselines, TheLastNightsThatPassedAreBaselinesToo) {
  const std::vector<std::string> last = {"--baseline-last", "2"};
  with_losses(40).write(path("baseline"));
  EXPECT_EQ(night("first", with_losses(20, 20), last), 0);
  EXPECT_THAT(read("regress.md"), HasSubstr("the history has 0 earlier nights so far"));
  EXPECT_EQ(night("second", with_losses(0, 21), last), 0);
  EXPECT_EQ(night("third", with_losses(20, 22), last), 1) << "worse than the second night";
  EXPECT_THAT(read("regress.md"),
              HasSubstr("against 1 of 3 baselines: " + path("second").string()));
  EXPECT_EQ(night("fourth", with_losses(20, 23), last), 1)
      << "the third night, which lost recall, is no baseline";
  EXPECT_EQ(night("fifth", with_losses(0, 24), last), 0);
}

TEST_F(Baselines, ANightWhoseRunIsGoneOrAnotherRefusesTheComparison) {
  const std::vector<std::string> last = {"--baseline-last", "2"};
  with_losses(0).write(path("baseline"));
  EXPECT_EQ(night("first", with_losses(0, 20), last), 0);
  with_losses(0, 25).write(path("first"));
  EXPECT_EQ(night("second", with_losses(0, 21), last), 3);
  EXPECT_THAT(read("regress.md"), HasSubstr("holds a run that ended 2026-01-25"));
  std::filesystem::remove_all(path("first"));
  EXPECT_EQ(night("third", with_losses(0, 22), last), 3);
  EXPECT_THAT(read("regress.md"), HasSubstr("any more"));
}

TEST_F(Baselines, TheSameRunComparedAgainIsNotItsOwnBaseline) {
  with_losses(0).write(path("baseline"));
  EXPECT_EQ(night("first", with_losses(0, 20), {}), 0);
  EXPECT_EQ(night("first", with_losses(0, 20), {"--baseline-last", "1"}), 0);
  EXPECT_THAT(read("regress.md"), HasSubstr("the history has 0 earlier nights so far"));
}

}  // namespace
}  // namespace niah
