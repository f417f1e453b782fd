#include "reports/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/sha256.h"
#include "reports/draw/gradient_chart.h"
#include "reports/export/lm_eval.h"
#include "reports/export/results_json.h"
#include "reports/page.h"
#include "reports/tables.h"
#include "tests/reports/synthetic_run.h"
#include "tests/temporary_folder.h"

namespace niah::reports {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string page_of(const Results& results) { return report_page(results, analyse(results), {}); }

TEST(Page, ListsItsSectionsAndNamesItsTab) {
  Results results = one_cell(25, 24, 10, 21);
  results.run.name = "nightly";
  results.run.started = "2026-11-28T02:00:00Z";
  const std::string page = page_of(results);
  EXPECT_THAT(page, AllOf(HasSubstr("<title>nightly: recall, 2026-11-28</title>"),
                          HasSubstr("<nav aria-label=\"Contents\">"),
                          HasSubstr("<a href=\"#heatmaps\">Where needles are found</a>"),
                          Not(HasSubstr("href=\"#reasoning\""))));
}

TEST(Page, NamesAMissAsCommandsTakeIt) {
  EXPECT_THAT(page_of(one_cell(25, 24, 10, 21)),
              AllOf(HasSubstr("s3@64K#10, CoT-SFT, depth"),
                    HasSubstr("<code>niah show . s3@64K#10</code>")));
}

TEST(Page, IsSelfContainedAndEscapesModelOutput) {
  const RunInfo info = synthetic_info();
  const std::string page = page_of(collect(info, synthetic_records(info, 16)));
  EXPECT_THAT(page, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("http://www.w3.org/1999")),
                          Not(HasSubstr("src=")), Not(HasSubstr("@import"))));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_EQ(page.find('\x07'), std::string::npos);
  EXPECT_THAT(page, HasSubstr(info.caveats[0]));
  EXPECT_LT(page.find("class=\"answer\""), page.find("id=\"heatmaps\""));
}

TEST(Page, EscapesWhateverTheRunIsCalled) {
  RunInfo info = synthetic_info();
  info.title = info.variants[1].description = info.caveats[0] = "\"><img src=x onerror=y>";
  info.variants[1].name = "sft<b>";
  info.tasks[0] = info.haystack = info.tokenizer = "<iframe>";
  const std::string page = page_of(collect(info, synthetic_records(info, 4)));
  EXPECT_THAT(page,
              AllOf(Not(HasSubstr("<img")), Not(HasSubstr("<b>")), Not(HasSubstr("<iframe"))));
}

TEST(Page, SaysWhatTheClassesOfItsMissesAre) {
  std::vector<Record> records;
  for (const char* miss : {"out_of_tokens", "partial_value", "of_another_version"})
    records.push_back(missed(
        synthetic_record("f-base", "s3", 4096, static_cast<std::int64_t>(records.size())), miss));
  EXPECT_THAT(page_of(collect(synthetic_info(), records)),
              AllOf(HasSubstr("<dt>partial value</dt><dd>begins like the value"),
                    HasSubstr("<dt>out of tokens</dt><dd>no answer had come"),
                    Not(HasSubstr("<dt>of another version")), Not(HasSubstr("<dt>garbage"))));
}

TEST(Page, DrawsRunsOfAnyShape) {
  RunInfo empty;
  EXPECT_THAT(page_of(collect(empty, {})), HasSubstr("Nothing was measured."));
  RunInfo one = synthetic_info();
  one.lengths = {6000};
  one.tasks = {"mystery"};
  EXPECT_THAT(page_of(collect(one, {synthetic_record("f-base", "mystery", 6000, 0)})),
              HasSubstr("6000"));
  EXPECT_THAT(page_of(collect(one, {})), HasSubstr("not measured"));
}

TEST(Page, HasNoPublishedFiguresOfModelsThatTheRunHasNot) {
  Results results = one_cell(10, 9, 5, 8);
  results.run.published = {{"HypeNet-9B", "S3@64K", 52.0, 9.4, 42.6, "paper"}};
  EXPECT_THAT(published_table(results).rows, IsEmpty());
  EXPECT_THAT(page_of(results), Not(HasSubstr("Published figures")));
  results.run.published[0].model = results.run.variants[0].model;
  EXPECT_THAT(page_of(results), HasSubstr("Published figures"));
}

TEST(Page, DrawsWhereTheGradientComesFromOnlyWhereItIsKnown) {
  RunInfo info = synthetic_info();
  EXPECT_THAT(page_of(collect(info, {})), Not(HasSubstr("gradient of W_Q")));
  GradientCurve curve;
  curve.variant = "CoT-SFT <b>";
  for (int tau = 0; tau < 64; ++tau) {
    curve.pairs.push_back(1000);
    curve.query.push_back(std::exp(-tau / 20.0));
    curve.key.push_back(0.1);
  }
  curve.decay_query = 20;
  info.gradients = {curve};
  const Results results = collect(info, {});
  EXPECT_THAT(page_of(results), AllOf(HasSubstr("CoT-SFT &lt;b&gt;, W_Q"), Not(HasSubstr("<b>"))));
  const Table table = gradient_table(results.run.gradients);
  EXPECT_EQ(table.rows[0], (std::vector<std::string>{"CoT-SFT <b>", "20", "13", "39",
                                                     "does not fall", "31", "57"}));
  const RunInfo again = nlohmann::json(info).get<RunInfo>();
  ASSERT_EQ(again.gradients.size(), 1U);
  EXPECT_EQ(again.gradients[0].query, curve.query);
  nlohmann::json damaged = info;
  damaged["gradients"][0]["key"] = {1.0};
  EXPECT_THROW(damaged.get<RunInfo>(), DataError);
}

TEST(LmEval, NamesTasksAndMetricsAsThatHarnessDoesWithoutSentinels) {
  const Results results = one_cell(10, 9, 5, 8);
  const auto json = nlohmann::json::parse(lm_eval_results(results, results.run.variants[0]));
  const auto& scores = json.at("results").at("niah_single_3");
  EXPECT_EQ(scores.at("65536,none"), 0.9);
  EXPECT_NEAR(scores.at("65536_stderr,none").get<double>(), 0.1, 1e-12);
  EXPECT_FALSE(scores.contains("4096,none"));
  EXPECT_FALSE(json.at("results").contains("niah_single_1"));
  EXPECT_EQ(json.at("n-samples").at("niah_single_3").at("effective"), 10);

  const RunInfo info = synthetic_info();
  const Results whole = collect(info, synthetic_records(info, 4));
  const auto all = nlohmann::json::parse(lm_eval_results(whole, info.variants[0]));
  EXPECT_EQ(all.at("results").at("gsm8k").at("exact_match,none"),
            whole.reasoning_cell("f-base", "gsm8k")->recall());
}

TEST(LmEval, ATaskHasOneNameInFileNamesAndResults) {
  EXPECT_EQ(lm_eval_task("s2"), "niah_single_2");
  EXPECT_EQ(lm_eval_task("multikey_3"), "niah_multikey_3");
  EXPECT_EQ(lm_eval_task("vt"), "ruler_vt");
  // The harness makes file names of task names, and looks for the task by the file's name.
  EXPECT_EQ(lm_eval_task("word-problems"), "word_problems");
  RunInfo info = synthetic_info();
  std::vector<Record> records = synthetic_records(info, 4);
  const auto first = std::ranges::find(records, "reasoning", &Record::kind);
  ASSERT_NE(first, records.end());
  const std::string renamed = first->task;
  for (Record& record : records)
    if (record.task == renamed) record.task = "word-problems";
  const Results results = collect(info, records);
  const auto json = nlohmann::json::parse(lm_eval_results(results, info.variants[0]));
  EXPECT_TRUE(json.at("results").contains("word_problems"));
  EXPECT_FALSE(json.at("results").contains("word-problems"));
}

TEST(LmEval, SamplesAreLinesByLengthAndIndexWithoutWhatWasNotMeasured) {
  LmEvalSamples samples;
  samples.add(synthetic_record("f", "s3", 65536, 1));
  samples.add(unmeasured(synthetic_record("f", "s3", 65536, 0)));
  samples.add(missed(synthetic_record("f", "s3", 4096, 7)));
  samples.add(synthetic_record("other", "s3", 4096, 0));
  std::istringstream lines(samples.lines("f", "s3"));
  std::vector<nlohmann::json> read;
  for (std::string line; std::getline(lines, line);) read.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0]["doc_id"], 0);
  EXPECT_EQ(read[0]["doc"]["max_length"], 4096);
  EXPECT_EQ(read[0]["4096"], 0.0);
  EXPECT_EQ(read[0]["metrics"], nlohmann::json({"4096"}));
  EXPECT_EQ(read[1]["65536"], 1.0);
  EXPECT_EQ(read[1]["resps"][0][0], read[1]["filtered_resps"][0]);
  EXPECT_EQ(lm_eval_time("2026-11-25T15:28:02Z"), "2026-11-25T15-28-02.000000");
}

TEST(LmEval, SamplesHoldTheirPromptsOnlyIfTheseAreTheOnesThatWereAsked) {
  Record record = synthetic_record("f", "s3", 4096, 2);
  record.prompt_sha256 = sha256_hex("the prompt");
  LmEvalSamples samples;
  samples.add(record);
  const auto texts = [](const std::string& prompt) {
    return [prompt](const std::string&, std::int64_t, std::int64_t) {
      return SampleText{"the", "prompt", prompt};
    };
  };
  const auto row = nlohmann::json::parse(samples.lines("f", "s3", texts("the prompt")));
  EXPECT_EQ(row["arguments"]["gen_args_0"]["arg_0"], "the prompt");
  EXPECT_EQ(row["doc"]["input"], "the");
  EXPECT_EQ(row["doc"]["gen_prefix"], "prompt");
  EXPECT_THROW(samples.lines("f", "s3", texts("another")), DataError);
  EXPECT_TRUE(nlohmann::json::parse(samples.lines("f", "s3"))["arguments"].empty());
}

class WriteReport : public testing::Test {
 protected:
  /// Writes a journal of the records in the given order, followed by `tail`.
  fs::path journal(const std::vector<Record>& records, const std::string& tail = "") {
    std::string text;
    for (const Record& record : records) text += nlohmann::json(record).dump() + "\n";
    const fs::path path = folder_.path() / "journal.jsonl";
    write_file(path, text + tail);
    return path;
  }
  static std::vector<std::string> files_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (entry.is_regular_file()) names.push_back(fs::relative(entry.path(), folder).string());
    std::sort(names.begin(), names.end());
    return names;
  }

  TemporaryFolder folder_;
};

TEST_F(WriteReport, WritesAllFilesAndTheSameOnesForAnyOrderOfRecords) {
  const RunInfo info = synthetic_info();
  std::vector<Record> records = synthetic_records(info, 8);
  const fs::path first = folder_.path() / "first";
  const fs::path second = folder_.path() / "second";
  const fs::path torn = folder_.path() / "torn";
  EXPECT_TRUE(write_report(info, std::vector{journal(records, "{\"torn")}, torn).journal.torn);
  EXPECT_THAT(read_file(torn / "report.html", "test"), HasSubstr("last line has no end"));
  const Report report = write_report(info, std::vector{journal(records, "")}, first);
  std::reverse(records.begin(), records.end());
  write_report(info, std::vector{journal(records, "")}, second);

  const std::vector<std::string> files = files_in(first);
  EXPECT_EQ(files, files_in(second));
  for (const char* name :
       {"results.json", "report.html", "tables/summary.md", "tables/summary.csv",
        "tables/summary.tex", "tables/depth-s3.csv", "tables/depths.csv", "heatmaps/s2-sft.svg",
        "heatmaps/s2-sft-difference.svg", "heatmaps/s2-sft.png",
        "lm_eval/base/results_2026-06-11T08-00-00.000000.json",
        "lm_eval/base/samples_niah_single_3_2026-06-11T08-00-00.000000.jsonl"})
    EXPECT_THAT(files, Contains(name));
  for (const std::string& name : files)
    EXPECT_EQ(read_file(first / name, "test"), read_file(second / name, "test")) << name;
  EXPECT_EQ(read_results(first).cells, report.results.cells);
  const std::string page = read_file(first / "report.html", "test");
  EXPECT_THAT(page, HasSubstr("href=\"tables/summary.md\""));
}

TEST_F(WriteReport, KeepsVariantsApartWhoseNamesMakeOneFileName) {
  RunInfo info = synthetic_info();
  info.variants[2].name = "qk λ";
  info.variants[3].name = "qk μ";
  write_report(info, synthetic_records(info, 2), folder_.path());
  EXPECT_THAT(files_in(folder_.path()),
              AllOf(Contains("heatmaps/s1-qk.svg"), Contains("heatmaps/s1-qk-2.svg")));
}

TEST_F(WriteReport, RefusesAFolderThatCannotBeWritten) {
  write_file(folder_.path() / "taken", "");
  EXPECT_THROW(write_report(synthetic_info(), std::vector<Record>{}, folder_.path() / "taken"),
               DataError);
}

TEST(PrintSummary, FitsAHundredColumns) {
  const RunInfo info = synthetic_info();
  const Results results = collect(info, synthetic_records(info, 8));
  const Table table = compact_summary_table(results);
  const std::string text = terminal(table, 100, 2);
  EXPECT_THAT(text, HasSubstr("S3 256K"));
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    EXPECT_LE(end - begin, 110U);  // bytes: "–" takes three
}

}  // namespace
}  // namespace niah::reports
