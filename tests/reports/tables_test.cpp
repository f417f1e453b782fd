#include "reports/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_EQ(table.rows[0], (std::vector<std::string>{"base", "≥ 8K", "–"}));
  EXPECT_EQ(table.rows[1], (std::vector<std::string>{"CoT-SFT", "4K", "–"}));
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
  const std::string none = "below 85 % already at 2K";
  EXPECT_EQ(effective_table(results, analysis).rows.at(1),
            (std::vector<std::string>{"CoT-SFT", none}));
  EXPECT_EQ(trend_table(results, analysis).rows.at(1).at(2), none);
  EXPECT_THAT(summary_text(results, analysis, false),
              AllOf(HasSubstr("≥ 16K"), HasSubstr(none), Not(HasSubstr("(from"))));
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
