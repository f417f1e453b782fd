#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "reports/analysis/findings.h"
#include "reports/export/results_json.h"
#include "reports/page.h"
#include "reports/report.h"
#include "reports/tables.h"
#include "tests/reports/served_run.h"
#include "tests/temporary_folder.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(ServedPage, StandsInThePageTheTablesAndTheJson) {
  RunInfo info = served_info();
  const Results results = served_run(
      20,
      [](std::int64_t length, std::int64_t i, Record& served) {
        if (length == 65536 && i < 15) loses(served, "<script>alert(1)</script>\u202E\x1b[2J");
        if (i == 17) served = unmeasured(served, "cut");
      },
      info);
  const Analysis analysis = analyse(results);
  const std::string page = report_page(results, analysis, {});
  EXPECT_THAT(page, AllOf(HasSubstr("Local against served"), HasSubstr("niah show . s2@64K#0"),
                          HasSubstr("&lt;script&gt;"), Not(HasSubstr("<script")),
                          HasSubstr("vllm 0.32.0 at http://localhost:8000/v1")));
  EXPECT_EQ(page.find('\x1b'), std::string::npos);
  const Table table = served_table(results, analysis);
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_THAT(table.rows[1], ElementsAre("vLLM", "base", "S2 at 64K", "19", "100.0", "21.1", "15",
                                         "0", "< 0.001", "< 0.001", "19", "21.1", "0", "0", "1"));
  EXPECT_EQ(table.rows[2][2], "all cells");
  EXPECT_EQ(table.rows[2].back(), "2");
  EXPECT_EQ(served_depth_table(results, analysis).rows.size(), 10U);

  const auto json = nlohmann::json::parse(results_json(results, analysis)).at("served").at(0);
  EXPECT_EQ(json.at("verdict"), "loss");
  EXPECT_EQ(json.at("variant"), "f-vllm");
  EXPECT_EQ(json.at("n"), 38);
  EXPECT_EQ(json.at("only_local"), 15);
  EXPECT_EQ(json.at("unmeasured").at("cut"), 2);
  EXPECT_EQ(json.at("cells").at(1).at("served_hits"), 4);
  EXPECT_EQ(json.at("depths").size(), 10U);
  EXPECT_EQ(json.at("texts").at("equal"), 23);
}

TEST(ServedPage, WhateverAServerSaysThePageStaysOnePage) {
  const std::vector<std::string> texts = {"</code></li></ul><img src=x onerror=y>",
                                          "\u202Eright to left\u2066 \x1b[31m\x07",
                                          "\xC3(\xFF not UTF-8", std::string(1U << 16U, '<'), ""};
  RunInfo info = one_length();
  info.variants.back().server = info.variants.back().label = texts[0] + texts[1];
  const Results results = served_run(
      10,
      [&](std::int64_t, std::int64_t i, Record& served) {
        const std::string& text = texts[static_cast<std::size_t>(i) / 2];
        if (i % 2 == 0) loses(served, text);
        if (i % 2 == 1) served = unmeasured(served, "refused");
        served.detail = text;
        served = nlohmann::json::parse(nlohmann::json(served).dump()).get<Record>();
      },
      info);
  const Analysis analysis = analyse(results);
  const std::string page = report_page(results, analysis, {});
  EXPECT_THAT(page, AllOf(Not(HasSubstr("<img")), HasSubstr("&lt;img"),
                          Not(HasSubstr("&lt;&lt;&lt;"
                                        "<"))));
  EXPECT_LT(page.size(), 100'000U) << "answers are shown as their beginnings";
  for (const char character : {'\x1b', '\x07'})
    for (const std::string& text :
         {page, summary_text(results, analysis, false), csv(served_table(results, analysis))})
      EXPECT_EQ(text.find(character), std::string::npos);
  EXPECT_EQ(summary_text(results, analysis, false).find("\u202E"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::accept(results_json(results, analysis)));
}

TEST(ServedPage, TheReportIsTheSameForAnyOrderOfRecordsAndReadsAgain) {
  RunInfo info = served_info();
  std::vector<Record> records =
      served_records(info, 12, [](std::int64_t, std::int64_t i, Record& served) {
        if (i % 3 == 0) loses(served, "no " + std::to_string(i));
        if (i == 5) served = unmeasured(served, "failed");
        if (i == 7) served.same_again = false;
      });
  for (Record& record : records)
    record = nlohmann::json::parse(nlohmann::json(record).dump()).get<Record>();
  const TemporaryFolder folder;
  const auto first = folder.path() / "first", second = folder.path() / "second";
  const Report report = write_report(info, records, first);
  std::reverse(records.begin(), records.end());
  write_report(info, records, second);
  for (const char* name :
       {"results.json", "report.html", "tables/served.csv", "tables/served-depth.csv"})
    EXPECT_EQ(read_file(first / name, "test"), read_file(second / name, "test")) << name;
  const Results again = read_results(first);
  EXPECT_EQ(again.cells, report.results.cells);
  EXPECT_EQ(again.run.variants.back().server, info.variants.back().server);
  EXPECT_EQ(again.run.variants.back().same_as, "base");
}

TEST(ServedPage, ARunWithoutServersSaysNothingOfThem) {
  const RunInfo info = synthetic_info();
  const Results results = collect(info, synthetic_records(info, 4));
  const Analysis analysis = analyse(results);
  EXPECT_THAT(analysis.served, IsEmpty());
  EXPECT_TRUE(results.answers.empty());
  EXPECT_THAT(results_json(results, analysis), Not(HasSubstr("\"served\"")));
  EXPECT_THAT(report_page(results, analysis, {}), Not(HasSubstr("Local against served")));
  for (const Table& table : all_tables(results, analysis))
    EXPECT_THAT(table.name, Not(HasSubstr("served")));
}

}  // namespace
}  // namespace niah::reports
