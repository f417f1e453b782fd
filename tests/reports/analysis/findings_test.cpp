#include "reports/analysis/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "reports/page.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

Findings findings_of(const Results& results) {
  return findings_in_words(results, analyse(results));
}

/// A run of base and its fine-tune that find all `n` samples of every cell.
Results all_found(std::int64_t n) {
  const RunInfo info = synthetic_info();
  std::vector<Record> records;
  for (const char* variant : {"f-base", "f-sft"})
    for (const std::string& task : info.tasks)
      for (const std::int64_t length : info.lengths)
        for (std::int64_t i = 0; i < n; ++i)
          records.push_back(synthetic_record(variant, task, length, i));
  return collect(info, records);
}

TEST(Findings, SaysHowMuchOfALossCameBack) {
  const Findings findings = findings_of(one_cell(25, 24, 10, 21));
  EXPECT_THAT(findings.headlines,
              Contains(StartsWith("CoT-SFT lost recall in 1 of 1 cell, most in S3 at 64K: from "
                                  "96 % to 40 % (n = 25).")));
  EXPECT_THAT(findings.points,
              Contains("S3 at 64K: base 96 % (n = 25), after CoT-SFT 40 %, after QK-Restore 84 %: "
                       "79 % of the loss recovered (95 % interval 52 to 100 %)."));
}

TEST(Findings, SaysOfTheOtherRestorationsOfWhoseLossTheyBroughtBackAPart) {
  const RunInfo info = synthetic_info();
  EXPECT_THAT(findings_of(collect(info, synthetic_records(info, 40))).points,
              Contains(testing::ContainsRegex(
                  "^Over all cells together QK-Procrustes brought back [0-9]+ % of what CoT-SFT "
                  "lost \\(95 % interval [^)]+\\); V-Restore brought back")));
}

TEST(Findings, SaysPlainlyWhereNothingWasLostOrNIsTooSmall) {
  EXPECT_THAT(findings_of(one_cell(50, 50, 49, 50)).points,
              Contains(testing::EndsWith("no measurable loss.")));
  EXPECT_THAT(findings_of(one_cell(50, 50, 49, 50)).headlines,
              Contains(HasSubstr("no measurable loss in 1 cell (n from 50")));
  EXPECT_THAT(findings_of(one_cell(4, 4, 2, 4)).points,
              Contains(testing::EndsWith("n too small to tell in this cell alone.")));
  EXPECT_THAT(findings_of(one_cell(4, 4, 2, 4)).headlines, Contains(HasSubstr("n is too small")));
}

TEST(Findings, SaysThatAFineTuneGained) {
  const Findings findings = findings_of(one_cell(25, 3, 24, 24));
  EXPECT_THAT(findings.headlines.at(0),
              AllOf(StartsWith("CoT-SFT finds more than base in 1 of 1 cell, most in S3 at 64K: "
                               "from 12 % to 96 % (n = 25)."),
                    HasSubstr("the pair is named the wrong way round"),
                    Not(HasSubstr("no measurable loss"))));
  EXPECT_THAT(findings.points, Contains(testing::EndsWith("a gain, with nothing to bring back.")));
}

TEST(Findings, TwoCellsAreBothCells) {
  RunInfo info = synthetic_info();
  info.variants.resize(2);
  std::vector<Record> records;
  for (const std::int64_t length : {4096, 8192})
    for (std::int64_t i = 0; i < 5; ++i) {
      records.push_back(synthetic_record("f-base", "s3", length, i));
      const Record sft = synthetic_record("f-sft", "s3", length, i);
      records.push_back(i < 3 ? missed(sft) : sft);
    }
  EXPECT_THAT(findings_of(collect(info, records)).headlines.at(0),
              StartsWith("CoT-SFT lost recall over both cells together: from 100 % to 40 %"));
}

TEST(Findings, NothingComesBackOfWhatIsNotCalledLost) {
  // All cells together show no loss, but those that the restoration was measured in do.
  const RunInfo info = synthetic_info();
  std::vector<Record> records;
  for (const std::int64_t length : {4096, 8192})
    for (std::int64_t i = 0; i < 4; ++i) {
      const bool first = length == 4096;
      const Record base = synthetic_record("f-base", "s3", length, i);
      const Record sft = synthetic_record("f-sft", "s3", length, i);
      const Record qk = synthetic_record("f-qk", "s3", length, i);
      records.push_back(first || i > 2 ? base : missed(base));
      records.push_back(first ? missed(sft) : sft);
      if (first) records.push_back(qk);
    }
  for (std::int64_t i = 0; i < 3; ++i) {
    records.push_back(synthetic_record("f-base", "s2", 4096, i));
    records.push_back(missed(synthetic_record("f-sft", "s2", 4096, i)));
    records.push_back(synthetic_record("f-qk", "s2", 4096, i));
  }
  const Findings findings = findings_of(collect(info, records));
  ASSERT_FALSE(findings.headlines.empty());
  EXPECT_THAT(findings.headlines[0], Not(HasSubstr("lost")));
  EXPECT_THAT(findings.headlines[0], Not(HasSubstr("brought back")));
}

TEST(Findings, NoLossIsNotSaidWhereNIsTooSmall) {
  // 12 samples cannot show a drop of a third in one of 21 cells.
  EXPECT_THAT(findings_of(all_found(12)).headlines.at(0),
              AllOf(HasSubstr("n is too small to tell in 21 of 21 cells"),
                    Not(HasSubstr("no measurable loss"))));
}

TEST(Findings, SaysThatAWideIntervalSaysLittle) {
  EXPECT_THAT(findings_of(one_cell(20, 18, 12, 15)).points, Contains(HasSubstr("too wide")));
}

TEST(Findings, OfARunWithoutFineTuneGivesBothEnds) {
  RunInfo info = synthetic_info();
  info.variants.resize(2);
  info.variants[1].model = "other";
  info.variants[1].role = Role::kBase;
  const Findings findings = findings_of(collect(info, synthetic_records(info, 10)));
  EXPECT_THAT(findings.headlines, IsEmpty());
  EXPECT_THAT(findings.points, Contains(HasSubstr("S1, hypenet base: 100 % at 4K (n = 10)")));
}

TEST(Findings, WarnsOfWhatWasNotMeasuredAndOfFormatMisses) {
  std::vector<Record> records;
  for (std::int64_t i = 0; i < 9; ++i) {
    const Record record = synthetic_record("f-base", "s1", 4096, i);
    records.push_back(i < 5    ? missed(record, "out_of_tokens")
                      : i == 8 ? unmeasured(record)
                               : record);
  }
  const Findings findings = findings_of(collect(synthetic_info(), records));
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("1 sample in 1 cell could not be measured")));
  EXPECT_THAT(findings.warnings,
              Contains(HasSubstr("about retrieval: 5 of 5 missed answers of base.")));
  records.erase(records.begin(), records.begin() + 3);
  EXPECT_THAT(findings_of(collect(synthetic_info(), records)).warnings,
              Not(Contains(HasSubstr("Format misses"))))
      << "two misses say nothing of the others";
}

TEST(Findings, WarnsOnceOfTheFormatMissesOfAllVariants) {
  std::vector<Record> records;
  for (const auto& [variant, misses] : {std::pair{"f-base", 5}, {"f-sft", 5}, {"f-qk", 6}})
    for (std::int64_t i = 0; i < 8; ++i) {
      const Record record = synthetic_record(variant, "s1", 4096, i);
      records.push_back(i < misses ? missed(record, "out_of_tokens") : record);
    }
  const Findings findings = findings_of(collect(synthetic_info(), records));
  EXPECT_THAT(
      findings.warnings,
      Contains(HasSubstr("5 of 5 missed answers of base, CoT-SFT; 6 of 6 missed answers of")));
}

TEST(Findings, SaysWhatIsMissingOfThePlanAndWhatIsNotOfIt) {
  Results results = one_cell(6, 6, 6, 6);
  EXPECT_THAT(findings_of(results).warnings, Not(Contains(HasSubstr("no record"))));
  results.run.planned = {{"recall", "s3", 65536, 8, false}};
  results.ignored = 3;
  results.left_out = {{"S3 at 256K", 2}, {"protocol ruler", 1}};
  results.torn = true;
  const Findings findings = findings_of(results);
  EXPECT_THAT(
      findings.warnings,
      AllOf(Contains(HasSubstr("6 samples that the plan asks for have no record: base S3 at "
                               "64K (6 of 8)")),
            Contains(HasSubstr("3 records of the journal are not of this run's plan and "
                               "were left out: S3 at 256K (2), protocol ruler (1).")),
            Contains(HasSubstr("last line has no end"))));
  EXPECT_THAT(report_page(results, analyse(results), {}),
              AllOf(HasSubstr("(6 of 8)"), HasSubstr("protocol ruler (1)")));
  results.run.shard = Shard{2, 3};
  EXPECT_THAT(findings_of(results).warnings, Contains(HasSubstr("This run is shard 2 of 3 alone")));
}

TEST(Findings, QuotesALossOnlyAtThePowerOfAllCells) {
  // 40 samples detect a drop of 16 points in a single cell, but of 30 in one of 21 cells.
  EXPECT_THAT(findings_of(all_found(40)).headlines.at(0),
              HasSubstr("no measurable loss in 21 cells (n from 40: a drop of 29.9 points in one "
                        "of 21 tests would show four times in five)"));
}

TEST(Findings, WarnsOfCellsMuchShorterThanTheirColumnSays) {
  std::vector<Record> records = {synthetic_record("f-base", "s1", 4096, 0),
                                 synthetic_record("f-base", "s2", 4096, 0)};
  records[1].real_length = 3000;
  EXPECT_THAT(findings_of(collect(synthetic_info(), records)).warnings,
              Contains("Prompts of 1 cell are much shorter than their column says: S2 at 4K (73 % "
                       "of its length)."));
}

}  // namespace
}  // namespace niah::reports
