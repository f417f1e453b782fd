#include "reports/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "harness/base/text.h"
#include "reports/draw/heatmap.h"
#include "reports/report.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Tables, EffectiveLengthIsOneFigureAVariantAndTask) {
  RunInfo info = synthetic_info();
  info.variants.resize(2);
  info.tasks = {"s2", "s3"};
  info.lengths = {4096, 8192};
  std::vector<Record> records;
  for (const std::int64_t length : info.lengths)
    for (std::int64_t i = 0; i < 10; ++i) {
      records.push_back(synthetic_record("f-base", "s2", length, i));
      const Record sft = synthetic_record("f-sft", "s2", length, i);
      records.push_back(length == 8192 && i < 5 ? missed(sft) : sft);
    }
  const Results results = collect(info, records);
  const Table table = effective_table(results, analyse(results));
  ASSERT_EQ(table.rows.size(), 2U);
  // 10 of 10 may be 72 %, which is below 85; 5 of 10 is at most 76 %.
  EXPECT_EQ(table.rows[0], (std::vector<std::string>{"base", "≥ 8K (none to ≥ 8K)", "–"}));
  EXPECT_EQ(table.rows[1], (std::vector<std::string>{"CoT-SFT", "4K (none to 4K)", "–"}));
  EXPECT_THAT(table.caption, HasSubstr("recall is at least 85 % "));
  EXPECT_THAT(table.caption, Not(HasSubstr("*")));
}

TEST(Tables, EffectiveLengthIsMeasuredByABaseThatFindsLittle) {
  RunInfo info = synthetic_info();
  info.variants.resize(2);
  info.tasks = {"s2"};
  info.lengths = {4096, 8192};
  std::vector<Record> records;
  for (const std::int64_t length : info.lengths)
    for (std::int64_t i = 0; i < 100; ++i) {
      const Record base = synthetic_record("f-base", "s2", length, i);
      const Record sft = synthetic_record("f-sft", "s2", length, i);
      records.push_back(i < 60 ? base : missed(base));
      records.push_back(i < (length == 4096 ? 58 : 20) ? sft : missed(sft));
    }
  const Results results = collect(info, records);
  const Table table = effective_table(results, analyse(results));
  EXPECT_EQ(table.rows.at(0), (std::vector<std::string>{"base", "none"}));
  EXPECT_EQ(table.rows.at(1), (std::vector<std::string>{"CoT-SFT", "4K (none to 4K) *"}));
  EXPECT_THAT(table.caption, HasSubstr("*: at least 85 % of the base model's recall"));
}

TEST(Tables, NotAskedIsApartFromNotMeasured) {
  RunInfo info = synthetic_info();
  info.variants.resize(1);
  info.tasks = {"s2", "s3"};
  info.lengths = {4096};
  info.planned = {{"recall", "s2", 4096, 2, false}};
  Record found = synthetic_record("f-base", "s2", 4096, 0);
  Record failed = unmeasured(synthetic_record("f-base", "s2", 4096, 1));
  // The needle stands in another band than it was asked for.
  found.depth = 20;
  found.real_depth = 19.8;
  failed.depth = failed.real_depth = 95;
  const Results results = collect(info, {found, failed});
  const Heatmap map = recall_heatmap(results, info.variants[0], "s2");
  EXPECT_EQ(map.cells[1][0].n, 1);
  EXPECT_FALSE(map.cells[2][0].is_asked);
  EXPECT_TRUE(map.cells[9][0].is_asked);
  EXPECT_FALSE(recall_heatmap(results, info.variants[0], "s3").cells[0][0].is_asked);
  const std::string svg = heatmap_svg(map, SvgUse::kInline);
  EXPECT_THAT(svg, AllOf(HasSubstr("depth 90–100 %, length 4K: not measured"),
                         HasSubstr("depth 0–10 %, length 4K: not asked"),
                         HasSubstr("<text class=\"n\""), HasSubstr(">1</text>")));
  const std::vector<std::string> depths = depth_table(results, "s2").rows.at(0);
  EXPECT_EQ(depths[3], "·");
  EXPECT_EQ(depths[4], "100");
  EXPECT_EQ(depths[12], "–");
  EXPECT_EQ(summary_table(results).rows.at(1).at(2), "·");
}

TEST(Tables, WhatForgetsAlreadyAtTheShortestHasNoEffectiveLength) {
  RunInfo info = synthetic_info();
  info.variants.resize(2);
  info.tasks = {"s2"};
  info.lengths = {1024, 2048, 16384};
  std::vector<Record> records;
  for (const std::int64_t length : {2048, 16384})
    for (std::int64_t i = 0; i < 25; ++i) {
      records.push_back(synthetic_record("f-base", "s2", length, i));
      const Record sft = synthetic_record("f-sft", "s2", length, i);
      records.push_back(i < 3 ? sft : missed(sft));
    }
  const Results results = collect(info, records);
  const Analysis analysis = analyse(results);
  EXPECT_EQ(effective_table(results, analysis).rows.at(1),
            (std::vector<std::string>{"CoT-SFT", "none"}));
  EXPECT_EQ(trend_table(results, analysis).rows.at(1).at(2), "none");
  EXPECT_THAT(summary_text(results, analysis, false),
              AllOf(HasSubstr("≥ 16K"), HasSubstr("none"), HasSubstr("at least 85 %")));
}

TEST(Tables, ASummaryIsLaidOutForItsTerminal) {
  const RunInfo info = synthetic_info();
  const Results results = collect(info, synthetic_records(info, 40));
  for (const std::size_t columns : {40U, 80U}) {
    std::istringstream lines(summary_text(results, analyse(results), false, columns));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(count_code_points(line), columns) << line;
      EXPECT_THAT(line, Not(testing::ContainsRegex("([(]n|n =)$"))) << "n and its number are one";
    }
  }
}

TEST(Tables, ATaskWithoutDepthsHasOneBand) {
  RunInfo info = synthetic_info();
  info.variants.resize(1);
  info.tasks = {"cwe", "s2"};
  info.lengths = {4096};
  std::vector<Record> records;
  for (std::int64_t i = 0; i < 8; ++i) {
    records.push_back(synthetic_record("f-base", "s2", 4096, i));
    records.push_back(synthetic_record("f-base", "cwe", 4096, i));
    records.back().depth = records.back().real_depth = 0;
  }
  const Results results = collect(info, records);
  EXPECT_EQ(depth_table(results, "s2").columns.size(), 13U);
  const Table table = depth_table(results, "cwe");
  ASSERT_EQ(table.columns.size(), 4U) << "variant, length, n, and all depths";
  EXPECT_EQ(table.columns[3].title, "0–100");
  const Heatmap map = recall_heatmap(results, info.variants[0], "cwe");
  ASSERT_EQ(map.rows.size(), 1U);
  EXPECT_EQ(map.cells[0][0].n, 8);
}

TEST(Tables, ComparisonsForProgramsAreNumbers) {
  const Results results = one_cell(25, 24, 10, 21);
  const Table table = comparison_numbers(results, analyse(results));
  ASSERT_FALSE(table.rows.empty());
  const std::string numbers = "0123456789.-+e";
  for (const auto& row : table.rows)
    for (std::size_t i = 5; i < row.size(); ++i)
      EXPECT_EQ(row[i].find_first_not_of(numbers), std::string::npos) << row[i];
  EXPECT_EQ(table.rows[0][2], "65536");
  std::vector<std::string> differences;
  for (const auto& row : table.rows) differences.push_back(row[8]);
  EXPECT_THAT(differences, testing::Contains("-56")) << "10 of 25 after 24";
}

TEST(Tables, PublishedFiguresOfTheRunsOwnModelGetTheDifference) {
  Results results = one_cell(10, 9, 5, 8);
  const std::string own = results.run.variants[0].model;
  results.run.published = {{"HypeNet-9B", "S3@64K", 52.0, 9.4, 42.6, "paper"},
                           {own, "S3@64K", 95.0, std::nullopt, std::nullopt, "paper"},
                           {own, "S1@4K", std::nullopt, 1.0, 2.0, "paper"}};
  const Table table = published_table(results);
  ASSERT_EQ(table.rows.size(), 2U) << "other models' figures would stand in the way";
  // 9 of 10: Wilson's interval is 59.6 to 98.2.
  EXPECT_EQ(table.rows[0][5], "90.0, −5.0 (−35.4 to +3.2)");
  EXPECT_EQ(table.rows[0][6], "50.0") << "nothing was published to differ from";
  EXPECT_EQ(table.rows[1][5], "–") << "nothing was measured there";
}

}  // namespace
}  // namespace niah::reports
