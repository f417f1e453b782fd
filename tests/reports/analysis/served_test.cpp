#include "reports/analysis/served.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/findings.h"
#include "reports/analysis/served_words.h"
#include "reports/analysis/variant_labels.h"
#include "reports/page.h"
#include "reports/report.h"
#include "tests/reports/served_run.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using ServedVerdict = ServedComparison::Verdict;

TEST(Served, CountsWhatTheServerLostAndGainedAndWhereTextsPart) {
  // 20 samples: the checkpoint misses the last; the server loses 0, 1 and 2 and finds the last.
  RunInfo info = one_length();
  std::vector<Record> records =
      served_records(info, 20, [](std::int64_t, std::int64_t i, Record& served) {
        if (i == 0) loses(served, "The special magic number is 1111111.");  // differs after 28
        if (i == 1) loses(served, "The special");                           // after 11
        if (i == 2) loses(served, "");                                      // after 0
        if (i == 7) served.text = "\nThe special magic number is 7654321";  // equal as far as kept
      });
  for (Record& record : records)
    if (record.variant == "f-base" && record.index == 19) record = missed(record);  // "1234567"
  const ServedComparison served = only(collect(info, records));
  EXPECT_EQ(served.local, "f-base");
  EXPECT_EQ(served.pairs, (PairCounts{16, 3, 1, 0}));
  EXPECT_DOUBLE_EQ(served.p, mcnemar_two_sided(3, 1));
  EXPECT_DOUBLE_EQ(served.adjusted, served.p) << "one cell is one question";
  EXPECT_EQ(served.verdict, ServedVerdict::kTooFew);
  EXPECT_EQ(served.texts.compared, 20);
  EXPECT_EQ(served.texts.equal, 16);
  EXPECT_EQ(served.texts.earliest, 0);
  EXPECT_EQ(served.texts.median, 5.5) << "of 28, 11, 0 and 0";
  ASSERT_EQ(served.cells.size(), 1U);
  EXPECT_EQ(served.cells[0].pairs, served.pairs);
  EXPECT_EQ(served.cells[0].texts, served.texts);
  ASSERT_EQ(served.bands.size(), 10U);
  EXPECT_EQ(served.bands[0].pairs, (PairCounts{1, 3, 0, 0})) << "depths 0, 2.6, 5.1 and 7.7 %";
  EXPECT_EQ(served.bands[4].pairs.only_second, 1) << "depth 48.7 %";
  ASSERT_EQ(served.differing.size(), 4U);
  EXPECT_EQ(served.differing[0].index, 0);
  EXPECT_EQ(served.differing[0].same, 28);
  EXPECT_TRUE(served.differing[0].is_local_hit && !served.differing[0].is_served_hit);
  EXPECT_EQ(served.differing[3].index, 19) << "what was gained follows what was lost";
}

TEST(Served, SaysThatTheServerLosesWhatTheCheckpointFinds) {
  const Results results = served_run(
      100,
      [](std::int64_t, std::int64_t i, Record& served) {
        if (i % 5 < 2) loses(served);
      },
      one_length());
  const ServedComparison served = only(results);
  EXPECT_EQ(served.verdict, ServedVerdict::kLoss);
  EXPECT_EQ(
      served_verdict(results, served),
      "The server loses what the checkpoint finds: recall 60 of 100 against 100 of 100 on the "
      "same samples (McNemar p < 0.001).");
  EXPECT_EQ(served_texts(results, served),
            "Of 100 texts that were said here and by the server, 60 are equal as far as both were "
            "kept; the others part after 0 characters at the earliest, 0 in the median.");
  const Findings findings = findings_in_words(results, analyse(results));
  EXPECT_THAT(findings.headlines, ElementsAre(served_verdict(results, served)))
      << "and not that a fine-tune lost it";
  EXPECT_THAT(summary_text(results, analyse(results), false),
              AllOf(HasSubstr("The server loses what"), HasSubstr("Local against served")));
}

TEST(Served, ALossInOneCellOfManyIsFoundAndNamed) {
  RunInfo info = served_info();
  info.lengths = {1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072};
  const Results results = served_run(
      40,
      [](std::int64_t length, std::int64_t i, Record& served) {
        if (length == 65536 && i < 10) loses(served);
        if (length != 65536 && i == length / 1024 % 40) loses(served);
      },
      info);
  const ServedComparison served = only(results);
  ASSERT_NE(served.worst_cell(), nullptr);
  EXPECT_EQ(served.worst_cell()->length, 65536);
  // All cells together and the single cells get half of alpha each; the cells share theirs by Holm.
  EXPECT_DOUBLE_EQ(served.worst_cell()->adjusted, 2 * 8 * mcnemar_two_sided(10, 0));
  EXPECT_DOUBLE_EQ(served.adjusted, 2 * served.p);
  EXPECT_THAT(served_verdict(results, served),
              AllOf(HasSubstr("The server loses what the checkpoint finds: recall 303 of 320 "
                              "against 320 of 320"),
                    HasSubstr("Most in S2 at 64K: 30 of 40 against 40 of 40.")));
}

TEST(Served, ALossThatOnlyOneCellShowsIsSaidOfThatCell) {
  RunInfo info = served_info();
  info.lengths = {4096, 65536};
  // The server gains at 4K what it loses at 64K, so nothing is lost overall.
  std::vector<Record> records =
      served_records(info, 60, [](std::int64_t length, std::int64_t i, Record& served) {
        if (length == 65536 && i < 20) loses(served);
      });
  for (Record& record : records)
    if (record.variant == "f-base" && record.length == 4096 && record.index < 20)
      record = missed(record);
  const Results results = collect(info, records);
  EXPECT_EQ(only(results).verdict, ServedVerdict::kLoss);
  EXPECT_EQ(
      served_verdict(results, only(results)),
      "The server loses what the checkpoint finds in S2 at 64K: recall 40 of 60 against 60 of "
      "60 on the same samples (McNemar p < 0.001); over all cells 100 of 120 against 100 of "
      "120.");
}

TEST(Served, SaysWhatANWithoutALossWouldHaveShown) {
  const Results same = served_run(
      100, [](auto, auto, auto&) {}, one_length());
  const ServedComparison served = only(same);
  EXPECT_EQ(served.verdict, ServedVerdict::kNoLoss);
  EXPECT_EQ(served.detectable, DropPower(100, {.factor = 2}).smallest_drop(0.8, 0));
  EXPECT_THAT(served_verdict(same, served),
              AllOf(HasSubstr("No loss by the server was found: recall 100 of 100 against 100 of "
                              "100 on the same samples (n = 100, a drop of "),
                    HasSubstr(" points would have been found four times in five)")));
  const Results few = served_run(
      4, [](auto, auto, auto&) {}, one_length());
  EXPECT_THAT(served_verdict(few, only(few)),
              AllOf(HasSubstr("Too few samples to tell"), HasSubstr("n = 4 would not show any")));
  const Results suspicious = served_run(
      30,
      [](std::int64_t, std::int64_t i, Record& r) {
        if (i < 4) loses(r);
      },
      one_length());
  EXPECT_EQ(only(suspicious).verdict, ServedVerdict::kTooFew) << "13 points, p = 0.125";
}

TEST(Served, SaysWhenTheServerFindsMore) {
  RunInfo info = one_length();
  std::vector<Record> records = served_records(info, 50, [](auto, auto, auto&) {});
  for (Record& record : records)
    if (record.variant == "f-base" && record.index < 20) record = missed(record);
  const Results results = collect(info, records);
  EXPECT_EQ(only(results).verdict, ServedVerdict::kGain);
  EXPECT_THAT(served_verdict(results, only(results)),
              HasSubstr("finds what the checkpoint does not: recall 50 of 50 against 30 of 50"));
}

TEST(Served, GivesNoVerdictWithoutACheckpointAndSaysWhatWouldGiveOne) {
  const auto verdict = [](const RunInfo& info) {
    const Results results = served_run(
        50, [](auto, auto, Record& r) { loses(r); }, info);
    EXPECT_THAT(compare_served(results).at(0).cells, IsEmpty());
    return served_verdict(results, compare_served(results).at(0));
  };
  RunInfo info = one_length();
  info.variants.back().same_as.clear();
  EXPECT_EQ(verdict(info),
            "The server could not be compared: it is not said whose weights vLLM serves; `of:` in "
            "the config makes the comparison.");
  info.variants.back().same_as = "sft";
  EXPECT_THAT(verdict(info), HasSubstr("serves sft, which was not run here"));
  info.variants.erase(info.variants.begin());
  info.variants.back().role = Role::kBase;
  info.variants.back().same_as.clear();
  EXPECT_THAT(verdict(info),
              AllOf(HasSubstr("asked of a server alone"), HasSubstr("niah regress")));
}

TEST(Served, OtherwiseServedVariantsAreNobodysFineTune) {
  RunInfo info = one_length();
  info.variants.back().same_as.clear();
  const Results results = served_run(
      50, [](auto, auto, Record& r) { loses(r); }, info);
  EXPECT_THAT(findings_in_words(results, analyse(results)).headlines,
              ElementsAre(HasSubstr("not said whose weights")));
  // A served fine-tune is compared with the fine-tune, not with the base.
  info.variants.insert(info.variants.begin() + 1, {"f-sft", "hypenet", "sft", "", Role::kTuned});
  info.variants.back().same_as = "sft";
  EXPECT_EQ(reference_of(info, info.variants.back()).name, "sft");
  EXPECT_EQ(reference_of(info, info.variants[1]).name, "base");
}

TEST(Served, CountsWhatTheServerCutRefusedAndFailedApartFromMisses) {
  const Results results = served_run(
      30,
      [](std::int64_t, std::int64_t i, Record& served) {
        if (i < 12) served = unmeasured(served, i < 6 ? "cut" : i < 10 ? "failed" : "refused");
        if (i < 6) served.detail = "it read 2,048 of 4,096 tokens";
        if (i >= 6 && i < 12) served.detail = i < 10 ? "503 <b>busy</b>" : "400 too long";
      },
      one_length());
  const ServedComparison served = only(results);
  EXPECT_EQ(served.pairs.n(), 18);
  EXPECT_EQ(served.pairs.only_first, 0) << "what was not measured is no miss";
  EXPECT_EQ(served.cells[0].unmeasured, 12);
  EXPECT_THAT(served_remarks(results, served),
              ElementsAre("The server cut 6 of 30 samples short: it read less of the prompt than "
                          "it was sent, or had no room for the answer (it read 2,048 of 4,096 "
                          "tokens). These count neither as hits nor as misses.",
                          "The server refused 2 of 30 prompts (400 too long).",
                          "The server failed at every try of 4 of 30 prompts (503 <b>busy</b>)."));
  const Analysis analysis = analyse(results);
  EXPECT_THAT(
      findings_in_words(results, analysis).warnings,
      Contains("12 samples in 1 cell could not be measured: 6 cut by the server, 4 failed at "
               "every try, 2 refused by the server. They count neither as hits nor as "
               "misses; the same `niah run` asks them again."));
  EXPECT_THAT(report_page(results, analysis, {}),
              AllOf(HasSubstr("503 &lt;b&gt;busy&lt;/b&gt;"), HasSubstr("cut by the server"),
                    Not(HasSubstr("<b>busy"))));
  const Results nothing = served_run(
      5, [](auto, auto, Record& r) { r = unmeasured(r, "refused"); }, one_length());
  EXPECT_EQ(
      served_verdict(nothing, only(nothing)),
      "The server could not be compared: no sample was scored both here and by the server (of "
      "5 samples asked of it: 5 refused by the server).");
}

TEST(Served, SaysHowOftenTheServerContradictedItself) {
  const auto probe = [](std::int64_t others) {
    return served_run(
        20,
        [others](std::int64_t, std::int64_t i, Record& served) {
          if (i < 10) served.same_again = i >= others;
        },
        one_length());
  };
  const Results results = probe(3);
  EXPECT_EQ(only(results).asked_twice, 10);
  EXPECT_EQ(only(results).answered_otherwise, 3);
  EXPECT_THAT(
      served_remarks(results, only(results)),
      ElementsAre("Asked twice, the server answered otherwise in 3 of 10: its cache, or what "
                  "it computes beside it, not the checkpoint."));
  EXPECT_THAT(served_remarks(probe(0), only(probe(0))),
              ElementsAre("Asked twice, the server said the same in all of 10 samples."));
}

TEST(Served, CountsSecondRequestsThatGotNoAnswer) {
  const Results results = served_run(
      20,
      [](std::int64_t, std::int64_t i, Record& served) {
        if (i < 4) served.same_again = true;
        if (i >= 4 && i < 6) served.again_failed = "503 busy";
      },
      one_length());
  EXPECT_EQ(only(results).asked_twice, 4);
  EXPECT_EQ(only(results).failed_again, 2);
  EXPECT_THAT(served_remarks(results, only(results)),
              ElementsAre("Asked twice, the server said the same in all of 4 samples.",
                          "2 of the samples that the server had answered got no answer when asked "
                          "a second time (503 busy)."));
}

TEST(Served, TwoServersAreToldApartByName) {
  RunInfo info = one_length();
  info.variants.push_back(info.variants.back());
  info.variants.back().fingerprint = "f-llama";
  info.variants.back().name = info.variants.back().label = "llama.cpp";
  const Results results = served_run(
      60,
      [](std::int64_t, std::int64_t i, Record& r) {
        if (r.variant == "f-llama" && i < 30) loses(r);
      },
      info);
  const std::vector<ServedComparison> all = compare_served(results);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_THAT(served_verdict(results, all[0]), testing::StartsWith("vLLM: No loss"));
  EXPECT_THAT(served_verdict(results, all[1]), testing::StartsWith("llama.cpp: The server loses"));
}

}  // namespace
}  // namespace niah::reports
