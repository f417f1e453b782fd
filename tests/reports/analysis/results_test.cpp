#include "reports/analysis/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "reports/export/results_json.h"
#include "reports/report.h"
#include "tests/refusal.h"
#include "tests/reports/synthetic_run.h"
#include "tests/temporary_folder.h"

namespace niah::reports {
namespace {

using testing::HasSubstr;

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

TEST(Collector, NamesWhatItLeavesOut) {
  RunInfo info = synthetic_info();
  Record long_one = s1(1);
  long_one.length = 524288;  // a length that is no longer planned
  Record other_protocol = s1(2);
  other_protocol.protocol = "ruler";
  const Results results = collect(info, {s1(0), long_one, other_protocol});
  EXPECT_EQ(results.cells[0].n, 1);
  EXPECT_EQ(results.left_out,
            (std::map<std::string, std::int64_t>{{"S1 at 512K", 1}, {"protocol ruler", 1}}));
  EXPECT_EQ(parse_results(results_json(results, analyse(results)), "test").left_out,
            results.left_out);
}

TEST(MissingSamples, AreThoseOfThePlanWithoutARecord) {
  RunInfo info = synthetic_info();
  info.variants.resize(1);
  info.planned = {{"recall", "s1", 4096, 6, false},
                  {"recall", "s1", 8192, 6, true},
                  {"recall", "s2", 4096, 6, true},
                  {"recall", "s3", 4096, 0, false}};
  Record early = s1(0);
  early.length = 8192;
  const auto missing = missing_samples(collect(info, {s1(0), s1(1), unmeasured(s1(2)), early}));
  ASSERT_EQ(missing.size(), 2U);
  EXPECT_EQ(missing[0].cell.task, "s1");
  EXPECT_EQ(missing[0].found, 3);
  EXPECT_EQ(missing[1].cell.task, "s2") << "a cell that may end early has at least one";
  info.planned.clear();
  EXPECT_TRUE(missing_samples(collect(info, {s1(0)})).empty());
}

TEST(MissingSamples, AreLookedUpByTheirIndexes) {
  RunInfo info = synthetic_info();
  info.variants.resize(1);
  info.planned = {{"recall", "s1", 4096, 3, false}};
  // A sweep that once was larger left two samples that the plan does not ask for.
  const auto gap = missing_samples(collect(info, {s1(0), s1(2), s1(3), s1(4)}));
  ASSERT_EQ(gap.size(), 1U);
  EXPECT_EQ(gap[0].found, 2);
  EXPECT_TRUE(missing_samples(collect(info, {s1(0), s1(1), s1(2), s1(7)})).empty());
  const Results partly = collect(info, {s1(0), s1(2), s1(3), s1(4)});
  EXPECT_FALSE(partly.is_whole(partly.cells.at(0)));
}

TEST(MissingSamples, OfAFileAreThoseThatItHolds) {
  RunInfo info = synthetic_info();
  info.variants.resize(1);
  info.planned = {{"recall", "s1", 4096, 3, false, {1, 4, 9}}};
  EXPECT_TRUE(missing_samples(collect(info, {s1(1), s1(4), s1(9)})).empty());
  EXPECT_EQ(count_missing(missing_samples(collect(info, {s1(1), s1(4), s1(2)}))), 1);
  // A plan of an earlier version does not say which they are.
  info.planned = {{"recall", "s1", 4096, 3, false}};
  info.haystack = "samples from two.jsonl 0123456789abcdef";
  EXPECT_TRUE(missing_samples(collect(info, {s1(1), s1(4), s1(9)})).empty());
}

TEST(OtherPrompts, AreCountedOnceASampleOfALaterVariant) {
  Record sft = synthetic_record("f-sft", "s1", 4096, 0);
  EXPECT_EQ(count_other_prompts(collect(synthetic_info(), {s1(0), sft})), 0);
  sft.prompt_sha256 = std::string(64, 'a');
  EXPECT_EQ(count_other_prompts(collect(synthetic_info(), {s1(0), sft})), 1);
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

/// Copied files get new times, so only records can show whether a run continued.
TEST(ResultsJson, AreOfAJournalByItsRecordsNotByTimes) {
  const TemporaryFolder folder;
  const auto journal = folder.path() / "journal.jsonl";
  const auto lines = [](const std::vector<Record>& records) {
    std::string text;
    for (const Record& record : records) text += nlohmann::json(record).dump() + "\n";
    return text;
  };
  const RunInfo info = synthetic_info();
  write_file(journal, lines({s1(0), unmeasured(s1(1))}));
  write_report(info, {journal}, folder.path());
  const Results results = read_results(folder.path());
  EXPECT_EQ(results.journal_records, 2);
  Results of_earlier_version = results;
  of_earlier_version.journal_records.reset();

  std::filesystem::last_write_time(
      journal,
      std::filesystem::last_write_time(folder.path() / "results.json") + std::chrono::hours(1));
  EXPECT_TRUE(is_drawn_from(results, journal));
  EXPECT_TRUE(is_drawn_from(of_earlier_version, journal));
  write_file(journal, lines({s1(0), unmeasured(s1(1)), s1(1)}));
  EXPECT_FALSE(is_drawn_from(results, journal)) << "a sample was asked again";
  EXPECT_FALSE(is_drawn_from(of_earlier_version, journal));
  write_file(journal, lines({s1(0)}));
  EXPECT_FALSE(is_drawn_from(results, journal));
  EXPECT_FALSE(is_drawn_from(of_earlier_version, journal));
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
    return refusal_of([&] { parse_results(json.dump(), "old/results.json"); });
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
  try {
    parse_results("{\n\"schema\" 1}", "x.json");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(),
                testing::StartsWith("reading x.json: not valid JSON, line 2, column"));
  }
}

}  // namespace
}  // namespace niah::reports
