#include "reports/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "reports/results_json.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

using testing::HasSubstr;

Results collect(const RunInfo& info, const std::vector<Record>& records) {
  Collector collector(info);
  for (const Record& record : records) collector.add(record);
  return std::move(collector).finish();
}

Record s1(std::int64_t index) { return synthetic_record("f-base", "s1", 4096, index); }

TEST(Collector, CountsHitsMissesAndWhatCouldNotBeMeasured) {
  std::vector<Record> records = {s1(0), s1(1), missed(s1(2)), missed(s1(3), "out_of_tokens"),
                                 unmeasured(s1(4))};
  records[0].value_rank = 1;
  records[2].value_rank = 9;
  records[0].value_log_prob = -1;
  records[2].value_log_prob = -4;
  const Results results = collect(synthetic_info(), records);
  ASSERT_EQ(results.cells.size(), 1U);
  const Cell& cell = results.cells[0];
  EXPECT_EQ(cell.n, 4);
  EXPECT_EQ(cell.hits, 2);
  EXPECT_EQ(cell.recall(), 0.5);
  EXPECT_EQ(cell.misses.at("wrong_value"), 1);
  EXPECT_EQ(cell.format_misses(), 1);
  EXPECT_EQ(cell.unmeasured.at("oom"), 1);
  EXPECT_EQ(cell.median_rank, 5);
  EXPECT_EQ(cell.mean_log_prob, -2.5);
  EXPECT_EQ(cell.min_real_length, 4096 - 3);
  EXPECT_EQ(cell.samples.size(), 5U);
}

TEST(Collector, ACellWithoutRecordsIsAGapAndOneWithoutScoresHasNoN) {
  const Results results = collect(synthetic_info(), {unmeasured(s1(0))});
  EXPECT_EQ(results.recall_cell("f-base", "s2", 4096), nullptr);
  ASSERT_NE(results.recall_cell("f-base", "s1", 4096), nullptr);
  EXPECT_EQ(results.recall_cell("f-base", "s1", 4096)->n, 0);
}

TEST(Collector, DoesNotDependOnTheOrderOfRecords) {
  const RunInfo info = synthetic_info();
  std::vector<Record> records = synthetic_records(info, 8);
  const Results first = collect(info, records);
  std::reverse(records.begin(), records.end());
  const Results second = collect(info, records);
  EXPECT_EQ(first.cells, second.cells);
  EXPECT_EQ(first.examples, second.examples);
}

TEST(Collector, LeavesOutRecordsOfOtherRuns) {
  Record stale = s1(0);
  stale.variant = "f-overwritten";
  Record other_length = s1(1);
  other_length.length = 4097;
  const Results results = collect(synthetic_info(), {s1(0), stale, other_length});
  EXPECT_EQ(results.cells.size(), 1U);
  EXPECT_EQ(results.ignored, 2);
}

TEST(Collector, CountsASampleOnceAndPrefersTheScoredRecord) {
  const Results results = collect(synthetic_info(), {unmeasured(s1(0)), s1(0), s1(0), s1(1)});
  EXPECT_EQ(results.cells[0].n, 2);
  EXPECT_TRUE(results.cells[0].unmeasured.empty());
}

TEST(Collector, RefusesRecordsThatContradictEachOther) {
  Record other = s1(0);
  other.prompt_sha256 = synthetic_record("", "", 1, 1).prompt_sha256;
  EXPECT_THROW(collect(synthetic_info(), {s1(0), other}), DataError);
  EXPECT_THROW(collect(synthetic_info(), {s1(0), missed(s1(0))}), DataError);
}

TEST(DepthBands, PlaceEverySampleAndTheLastDepthInTheLastBand) {
  const Results results = collect(synthetic_info(), [] {
    std::vector<Record> records;
    for (std::int64_t i = 0; i < 40; ++i) records.push_back(i < 4 ? missed(s1(i)) : s1(i));
    return records;
  }());
  const auto bands = depth_bands(results.cells[0]);
  ASSERT_EQ(bands.size(), 10U);
  for (const DepthBand& band : bands) EXPECT_EQ(band.n, 4) << band.low;
  EXPECT_EQ(bands[0].hits, 0);
  EXPECT_EQ(bands[9].hits, 4);
  EXPECT_EQ(depth_points(results.cells[0]).size(), 40U);
}

TEST(ResultsJson, RoundTripsAllButExamples) {
  const RunInfo info = synthetic_info();
  const Results first = collect(info, synthetic_records(info, 8));
  const std::string text = results_json(first, analyse(first));
  const Results second = parse_results(text, "test");
  EXPECT_EQ(first.cells, second.cells);
  EXPECT_EQ(results_json(second, analyse(second)), text);
}

TEST(ResultsJson, KeepsTimeApart) {
  RunInfo info = synthetic_info();
  std::vector<Record> records = synthetic_records(info, 4);
  const Results first = collect(info, records);
  info.started = info.finished = "2027-01-01T00:00:00Z";
  for (Record& record : records) record.seconds *= 3;
  const Results second = collect(info, records);
  const auto without_timing = [](const Results& results) {
    auto json = nlohmann::json::parse(results_json(results, analyse(results)));
    json.erase("timing");
    return json;
  };
  EXPECT_EQ(without_timing(first), without_timing(second));
}

TEST(ResultsJson, RefusesWhatIsDamaged) {
  const Results results = collect(synthetic_info(), {s1(0), s1(1)});
  const auto good = nlohmann::json::parse(results_json(results, analyse(results)));
  const auto refusal = [](const nlohmann::json& json) -> std::string {
    try {
      parse_results(json.dump(), "old/results.json");
    } catch (const DataError& error) {
      return error.what();
    }
    return "accepted";
  };
  ASSERT_EQ(refusal(good), "accepted");
  auto bad = good;
  bad["schema"] = "niah-results/9";
  EXPECT_THAT(refusal(bad), testing::AllOf(HasSubstr("old/results.json"), HasSubstr("schema")));
  bad = good;
  bad["cells"][0]["hits"] = 1;
  EXPECT_THAT(refusal(bad), HasSubstr("claims 1 hits of 2, its samples have 2 of 2"));
  bad = good;
  bad["cells"][0]["samples"][0][2] = "zz";
  EXPECT_THAT(refusal(bad), HasSubstr("the sample"));
  bad = good;
  bad["cells"][0]["samples"][1][0] = 0;
  EXPECT_THAT(refusal(bad), HasSubstr("stands after"));
  bad = good;
  bad["cells"][0].erase("n");
  EXPECT_THAT(refusal(bad), HasSubstr("'n' is missing"));
  EXPECT_THROW(parse_results("[", "x"), DataError);
}

}  // namespace
}  // namespace niah::reports
