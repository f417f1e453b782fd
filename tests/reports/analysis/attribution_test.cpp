#include "reports/analysis/attribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "reports/analysis/findings.h"
#include "reports/draw/part_chart.h"
#include "reports/export/results_json.h"
#include "reports/page.h"
#include "reports/tables.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

using testing::_;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A restoration, and how many of 40 samples it finds.
struct Restored {
  std::string method;
  std::int64_t hits = 0;
};

/// Base finds 40 of 40 samples, the fine-tune 10, and the restorations as many as they say. Of 20
/// problems, if any are asked, the fine-tune and qk solve 19, all others 2.
Results results_of(const std::vector<Restored>& restored, std::int64_t of_sft = 10,
                   bool with_reasoning = false) {
  RunInfo run = synthetic_info();
  run.variants.resize(2);
  for (const Restored& one : restored) {
    VariantInfo variant;
    variant.fingerprint = "f-" + one.method;
    variant.model = run.variants[0].model;
    variant.name = one.method;
    variant.label = one.method;
    variant.role = Role::kRestored;
    variant.restored_from = "base";
    variant.fine_tune = "sft";
    variant.method = one.method;
    run.variants.push_back(variant);
  }
  Collector collector(run);
  const auto add = [&](const std::string& variant, std::int64_t hits) {
    for (std::int64_t i = 0; i < 40; ++i) {
      const Record record = synthetic_record(variant.c_str(), "s3", 65536, i);
      collector.add(i < hits ? record : missed(record));
    }
    for (std::int64_t i = 0; with_reasoning && i < 20; ++i) {
      Record record = synthetic_record(variant.c_str(), "word-problems", 0, i);
      record.kind = "reasoning";
      record.protocol = "";
      const bool is_solved = i < (variant == "f-sft" || variant == "f-qk" ? 19 : 2);
      collector.add(is_solved ? record : missed(record));
    }
  };
  add("f-base", 40);
  add("f-sft", of_sft);
  for (const Restored& one : restored) add("f-" + one.method, one.hits);
  return std::move(collector).finish();
}

std::vector<std::string> words_of(const Results& results) {
  const auto found = analyse(results).attributions;
  return found.empty() ? std::vector<std::string>() : attribution_in_words(results, found[0]);
}

TEST(Attribution, NamesThePartThatTheLossLiesIn) {
  const Results results = results_of({{"parts mlp", 11},
                                      {"qk", 39},
                                      {"all but q, k", 10},
                                      {"v", 10},
                                      {"qk alpha 0.5", 30},
                                      {"parts linear layers 0", 12}});
  const auto found = analyse(results).attributions;
  ASSERT_EQ(found.size(), 1U);
  std::vector<std::string> parts;
  for (const PartEffect& effect : found[0].alone) parts.push_back(effect.part);
  EXPECT_THAT(parts, ElementsAre("q, k", "linear layers 0", "mlp", "v"));
  ASSERT_NE(found[0].without("q, k"), nullptr);
  EXPECT_EQ(found[0].without("mlp"), nullptr);
  EXPECT_NEAR(found[0].alone[0].recovered.fraction, 29.0 / 30, 1e-9);

  const auto words = attribution_in_words(results, found[0]);
  EXPECT_THAT(words[0], HasSubstr("each part alone: W_Q and W_K 97 % (95 % interval "));
  EXPECT_THAT(words[0], HasSubstr("; the linear layers of layer 0 7 % ("));
  EXPECT_THAT(words[0], HasSubstr("; W_V 0 % ("));
  EXPECT_THAT(words[1], HasSubstr("The loss lies in W_Q and W_K: everything else put back brings "
                                  "back 0 %"));
  EXPECT_EQ(words.at(2), "To take: qk, which brings back the most.");
}

TEST(Attribution, TakesThePlaceOfALongListInTheFindings) {
  const Results results =
      results_of({{"qk", 39}, {"parts mlp", 11}, {"v", 10}, {"qk-pro lambda 0.1", 30}});
  std::string points;
  for (const std::string& point : findings_in_words(results, analyse(results)).points)
    points += point + "\n";
  EXPECT_THAT(points, HasSubstr("each part alone: W_Q and W_K 97 %"));
  EXPECT_THAT(points, HasSubstr("Over all cells together qk-pro lambda 0.1 brought back 67 %"));
  EXPECT_THAT(points, Not(HasSubstr("together parts mlp")));
}

TEST(Attribution, SaysThatALossIsSpread) {
  const auto words = words_of(results_of({{"parts mlp", 22}, {"parts linear", 23}, {"qk", 20}}));
  EXPECT_THAT(words.at(1), HasSubstr("The loss is spread over the weights: no part alone brings "
                                     "back half of it, and the most, 43 %, is by the linear"));
  EXPECT_EQ(words.size(), 2U) << "nothing to take";
}

TEST(Attribution, SaysWhatIsNotInOnePlaceAlone) {
  EXPECT_THAT(words_of(results_of({{"parts mlp", 38}, {"all but mlp", 36}, {"qk", 20}})).at(1),
              HasSubstr("it is not there alone: everything else put back brings back 87 %"));
  EXPECT_THAT(words_of(results_of({{"parts mlp", 28}, {"qk", 20}})).at(1),
              HasSubstr("most of the loss comes back, but not nearly all"));
}

TEST(Attribution, NamesTheLayerThatDoesItAlone) {
  const auto words = words_of(results_of({{"parts mlp", 40},
                                          {"parts mlp layers 0", 38},
                                          {"parts mlp layers 1", 10},
                                          {"parts mlp layers 2", 13}}));
  EXPECT_THAT(words.at(0), HasSubstr("each part alone: the MLPs 100 % ("));
  EXPECT_THAT(words.at(1), HasSubstr("Of the MLPs, one layer put back at a time: the MLPs of layer "
                                     "0 93 % ("));
  EXPECT_THAT(words.at(2), HasSubstr("With the MLPs of layer 0 alone put back nearly all of the "
                                     "loss comes back; none of the other layers brings back more "
                                     "than 10 %."));
  EXPECT_EQ(words.at(3), "To take: parts mlp layers 0, which changes the least.");

  const auto spread = words_of(
      results_of({{"parts mlp", 40}, {"parts mlp layers 0", 25}, {"parts mlp layers 1", 22}}));
  EXPECT_THAT(spread.at(2), HasSubstr("With the MLPs alone put back nearly all"));
}

TEST(Attribution, HasASentenceForLayersThatAreNotThoseOfTheBestPart) {
  const auto words = words_of(results_of({{"parts mlp", 40},
                                          {"parts linear", 22},
                                          {"parts q, k layers 0", 13},
                                          {"parts q, k layers 1", 19}}));
  EXPECT_EQ(words.at(0).find("layer 0"), std::string::npos);
  EXPECT_THAT(words.at(1), HasSubstr("Of W_Q and W_K, one layer put back at a time: W_Q and W_K of "
                                     "layer 1 30 % ("));
  EXPECT_THAT(words.at(1), HasSubstr("; W_Q and W_K of layer 0 10 % ("));

  const auto layers_alone =
      words_of(results_of({{"parts q, k layers 0", 13}, {"parts q, k layers 1", 19}}));
  EXPECT_THAT(layers_alone.at(0), HasSubstr("Of W_Q and W_K, one layer put back at a time:"));
}

TEST(Attribution, SaysWhatTheOthersBringBackAtMost) {
  EXPECT_THAT(
      words_of(
          results_of({{"parts mlp", 40}, {"parts linear", 30}, {"q", 20}, {"k", 16}, {"v", 12}}))
          .at(0),
      HasSubstr("; W_Q 33 % (95 % interval 17 to 51 %); none of the 2 other parts more "
                "than 20 %."));
}

TEST(Attribution, IsSureOnlyWhereTheIntervalsAre) {
  // Seven lost samples, all of them brought back by one part, and one by everything else.
  const auto few =
      words_of(results_of({{"parts mlp", 40}, {"all but mlp", 34}, {"qk", 33}}, /*of_sft=*/33));
  EXPECT_THAT(few.at(1), HasSubstr("The loss seems to lie in the MLPs: everything else"));
  EXPECT_THAT(few.at(1), HasSubstr("; n is too small to be sure."));
  const auto half = words_of(results_of({{"parts mlp", 28}, {"qk", 20}}));
  EXPECT_THAT(half.at(1), HasSubstr("but not nearly all of it (95 % interval 4"));
}

TEST(Attribution, ClaimsNothingWithoutCertainty) {
  const auto words = words_of(results_of({{"parts mlp", 11}, {"qk", 10}}));
  EXPECT_THAT(words.at(1), HasSubstr("n is too small"));
}

TEST(Attribution, IsOfRunsThatAskForPartsAndLostSomething) {
  EXPECT_TRUE(words_of(results_of({{"q", 20}, {"k", 30}, {"qk", 39}})).empty());
  EXPECT_TRUE(words_of(results_of({{"parts mlp", 39}})).empty());
  EXPECT_TRUE(words_of(results_of({{"parts mlp", 39}, {"qk", 39}}, /*of_sft=*/40)).empty());
}

/// At the first of six lengths the fine-tune gains significantly; at each of the others it loses
/// too little to show, but together the cells show a loss. What is restored finds all.
Results gaining_and_losing() {
  RunInfo run = results_of({{"qk", 0}, {"parts mlp", 0}}).run;
  run.lengths.resize(6);
  std::vector<Record> records;
  for (const VariantInfo& variant : run.variants)
    for (const std::int64_t length : run.lengths)
      for (std::int64_t i = 0; i < 40; ++i) {
        const bool gains = length == run.lengths.front();
        const bool is_missed =
            gains ? variant.name == "base" && i < 9 : variant.name == "sft" && i < 5;
        const Record record = synthetic_record(variant.fingerprint, "s3", length, i);
        records.push_back(is_missed ? missed(record) : record);
      }
  return collect(run, records);
}

TEST(Attribution, BringsBackNothingWhereNothingIsSaidToBeLost) {
  const Results results = gaining_and_losing();
  const Analysis analysis = analyse(results);
  ASSERT_TRUE(pooled_recovery(analysis.recoveries, "f-qk")) << "together the cells show a loss";
  EXPECT_THAT(findings_in_words(results, analysis).headlines.at(0),
              HasSubstr("CoT-SFT finds more than base in 1 of 6 cells"));
  EXPECT_TRUE(analysis.attributions.empty());
  EXPECT_EQ(nothing_to_attribute(results, analysis, "hypenet"),
            "CoT-SFT did not measurably lose recall, so there is nothing that a part of its "
            "weights could bring back.");
  const std::string page = report_page(results, analysis, {}, false);
  EXPECT_THAT(page, HasSubstr("CoT-SFT did not measurably lose recall"));
  EXPECT_THAT(page, Not(HasSubstr("each part alone")));
}

TEST(Attribution, DoesNotSayThatNothingIsLostWhereNIsTooSmall) {
  const RunInfo run = results_of({{"qk", 2}, {"parts mlp", 2}}).run;
  std::vector<Record> records;
  for (const VariantInfo& variant : run.variants)
    for (std::int64_t i = 0; i < 2; ++i) {
      const Record record = synthetic_record(variant.fingerprint.c_str(), "s3", 65536, i);
      records.push_back(variant.fingerprint == "f-sft" ? missed(record) : record);
    }
  const Results results = collect(run, records);
  EXPECT_THAT(nothing_to_attribute(results, analyse(results), "hypenet"),
              testing::StartsWith("n is too small to tell whether CoT-SFT lost recall"));
}

TEST(Attribution, HasNothingToSayOfALossOrWhereNoPartsWereAsked) {
  const Results lost = results_of({{"qk", 39}, {"parts mlp", 11}});
  EXPECT_EQ(nothing_to_attribute(lost, analyse(lost), "hypenet"), "");
  const Results no_parts = results_of({{"qk", 39}, {"k", 39}}, /*of_sft=*/40);
  EXPECT_EQ(nothing_to_attribute(no_parts, analyse(no_parts), "hypenet"), "");
}

TEST(Attribution, FollowsAPath) {
  const Results results = results_of({{"parts mlp", 11},
                                      {"qk", 22},
                                      {"parts linear", 21},
                                      {"parts q", 21},
                                      {"parts q, k, mlp", 24},
                                      {"parts q, k, linear", 36},
                                      {"parts q, k, mlp, linear", 39},
                                      {"all but q, k", 21}});
  const Analysis analysis = analyse(results);
  const Attribution& found = analysis.attributions.at(0);
  std::vector<std::string> alone;
  for (const PartEffect& effect : found.alone) alone.push_back(effect.part);
  EXPECT_THAT(alone, ElementsAre("q, k", "linear", "q", "mlp")) << "steps are not parts alone";
  ASSERT_EQ(found.path.steps.size(), 3U);
  EXPECT_EQ(found.path.steps[1].added, "linear");
  EXPECT_EQ(found.path.steps[1].asked, 2U);
  EXPECT_NEAR(found.path.steps[1].p, 2 * mcnemar_two_sided(0, 14), 1e-9);
  EXPECT_NEAR(found.path.steps[2].p, mcnemar_two_sided(0, 3), 1e-9);

  const auto words = attribution_in_words(results, found);
  EXPECT_THAT(words.at(1), HasSubstr("no part alone brings back half"));
  EXPECT_THAT(words.at(2), HasSubstr("each time the part that brings back the most: W_Q and W_K "
                                     "40 % (95 % interval "));
  EXPECT_THAT(words.at(2), HasSubstr("; with the linear layers 87 % (95 % interval "));
  EXPECT_THAT(words.at(2), HasSubstr("; with the MLPs 97 % (95 % interval "));
  EXPECT_THAT(words.at(2),
              HasSubstr("; that it adds anything is not certain, p = 0.250). With that "
                        "the loss is back."));
  EXPECT_EQ(words.at(3), "To take: parts q, k, linear, of which each part adds to what comes back.")
      << "the last step may be chance";

  const Table table = path_table(results, analysis);
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_THAT(table.rows[0], ElementsAre("hypenet", "1", "W_Q and W_K", "4", "40", _, "–"));
  EXPECT_THAT(table.rows[1],
              ElementsAre("hypenet", "2", "the linear layers", "2", "87", _, "< 0.001"));
  EXPECT_THAT(report_page(results, analysis, {}, false),
              HasSubstr("with the linear layers put back: 87 % brought back"));
  EXPECT_THAT(results_json(results, analysis), HasSubstr("\"added\":\"linear\""));
}

/// How many of 40 word problems each variant solves.
void add_solved(Results& results, const std::map<std::string, std::int64_t>& solved) {
  for (const auto& [variant, hits] : solved) {
    Cell cell;
    cell.kind = "reasoning";
    cell.variant = variant;
    cell.task = "word-problems";
    cell.n = 40;
    cell.hits = hits;
    results.cells.push_back(cell);
  }
}

TEST(Attribution, WhatUndoesTheFineTuneIsNotToBeTaken) {
  const auto words = [](std::int64_t solved_with_qk) {
    Results results = results_of({{"qk", 39}, {"parts mlp", 35}});
    add_solved(results, {{"f-sft", 38}, {"f-qk", solved_with_qk}, {"f-parts mlp", 36}});
    return words_of(results).back();
  };
  EXPECT_THAT(words(37), testing::StartsWith("To take: qk, which brings back the most; of "
                                             "word-problems it solves 92 % (n = 40)"));
  EXPECT_THAT(words(10), AllOf(testing::StartsWith("Not to be taken: qk, which brings back the "
                                                   "most but undoes what the fine-tune taught; of "
                                                   "word-problems it solves 25 %"),
                               HasSubstr("To take: parts mlp, which brings back the most of those "
                                         "that keep it; of word-problems it solves 90 %")));
}

TEST(Attribution, APathThatUndoesTheFineTuneIsNotToBeTakenEither) {
  Results results = results_of({{"qk", 26}, {"parts mlp", 11}, {"parts q, k, mlp", 39}});
  add_solved(results, {{"f-sft", 38}, {"f-qk", 37}, {"f-parts mlp", 36}, {"f-parts q, k, mlp", 4}});
  EXPECT_THAT(words_of(results).back(),
              AllOf(testing::StartsWith("Not to be taken: parts q, k, mlp, which brings back the "
                                        "most but undoes what the fine-tune taught"),
                    HasSubstr("To take: qk, which brings back the most of those that keep it; of "
                              "word-problems it solves 92 % (n = 40)")));
}

TEST(Attribution, SaysWhereNothingAddsToAPath) {
  const Results results = results_of({{"parts mlp", 11}, {"qk", 25}, {"parts q, k, mlp", 24}});
  EXPECT_THAT(words_of(results).at(2), HasSubstr("W_Q and W_K 50 % (95 % interval "));
  EXPECT_THAT(words_of(results).at(2), HasSubstr("). Nothing else put back besides brings back "
                                                 "more."));
  EXPECT_EQ(words_of(results).at(3), "To take: qk, which brings back the most.");
}

TEST(Attribution, WithoutAPathTellsNone) {
  const Results results = results_of({{"parts q", 20}, {"qk", 39}, {"parts mlp layers 0", 30}});
  const Analysis analysis = analyse(results);
  EXPECT_TRUE(path_table(results, analysis).rows.empty());
  EXPECT_THAT(results_json(results, analysis), HasSubstr("\"path\":[]"));
  EXPECT_THAT(results_json(results_of({}), analyse(results_of({}))),
              Not(HasSubstr("attributions")));
}

TEST(Attribution, ShowsReasoningBesideEachPart) {
  const Results results = results_of({{"qk", 39}, {"parts mlp", 11}, {"parts v", 10}},
                                     /*of_sft=*/10, /*with_reasoning=*/true);
  const Analysis analysis = analyse(results);
  const Table table = attribution_table(results, analysis);
  ASSERT_EQ(table.rows.size(), 4U);
  EXPECT_EQ(table.columns.back().title, "word-problems %");
  EXPECT_EQ(table.rows[0].back(), "95.0");
  EXPECT_EQ(table.rows[1].back(), "10.0") << "it costs what the fine-tune taught";
  EXPECT_THAT(table.rows[3][1], testing::StartsWith("none: "));
  EXPECT_EQ(table.rows[3].back(), "95.0");
  EXPECT_THAT(attribution_in_words(results, analysis.attributions[0]).at(2),
              HasSubstr("of word-problems it solves 95 % (n = 20)"));

  std::string points;
  for (const std::string& point : findings_in_words(results, analysis).points)
    points += point + "\n";
  EXPECT_THAT(points, HasSubstr("Reasoning: of word-problems, "));
  EXPECT_THAT(points, Not(HasSubstr("parts mlp"))) << "the table has it";
}

TEST(Attribution, PartsInWords) {
  EXPECT_EQ(part_in_words("q"), "W_Q");
  EXPECT_EQ(part_in_words("q, k, mlp"), "W_Q, W_K and the MLPs");
  EXPECT_EQ(part_in_words("embedding layers 2,3"), "the embedding of layers 2, 3");
}

TEST(Attribution, IsDrawnAndTabulated) {
  const Results results = results_of({{"parts mlp", 11}, {"qk", 39}, {"all but q, k", 10}});
  const Table table = attribution_table(results, analyse(results));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0][1], "W_Q and W_K");
  EXPECT_EQ(table.rows[0][4], "0");
  EXPECT_EQ(table.rows[1][4], "–");

  const std::string chart = part_chart(
      {{"a < b", Recovered{0.5, 0.25, std::nullopt}, Recovered{-3.0, -9.0, 0.1}}, {"c", {}, {}}});
  EXPECT_THAT(chart, HasSubstr("a &lt; b alone: 50 % brought back, 95 % interval 25 to ∞"));
  EXPECT_THAT(chart, HasSubstr("everything but the part put back"));
  EXPECT_THAT(chart, Not(HasSubstr("nan")));
  EXPECT_EQ(part_chart({}), "");
}

}  // namespace
}  // namespace niah::reports
