#include "harness/config/questions_section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/config/demo_sweep.h"

namespace niah {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string with_samples(const std::string& samples) {
  return replaced(kSweep, "samples: 10", "samples: " + samples);
}

/// The sweep of the config that a plan keeps of `sweep`.
SweepConfig kept(const SweepConfig& sweep) {
  const std::string json = sweep_to_json(sweep);
  SweepConfig again = parse_sweep(json, "plan.json", "/", {});
  EXPECT_EQ(sweep_to_json(again), json);
  return again;
}

TEST(QuestionsSection, LengthsMayBeRanges) {
  const auto lengths = [](const std::string& text) {
    return parse(replaced(kSweep, "[8K, 4K]", text)).lengths;
  };
  EXPECT_THAT(lengths("4K..16K"), ElementsAre(4096, 8192, 16384));
  EXPECT_THAT(lengths("4K..12K step 4K"), ElementsAre(4096, 8192, 12288));
  EXPECT_THAT(lengths("[32K, 4K..8K]"), ElementsAre(4096, 8192, 32768));
  EXPECT_THAT(refusal(replaced(kSweep, "[8K, 4K]", "[4K..16K, 8K]")),
              HasSubstr("s.yaml:4:10: lengths: 8K is listed twice"));
  EXPECT_THAT(refusal(replaced(kSweep, "[8K, 4K]", "4K..48K")),
              HasSubstr("s.yaml:4:10: lengths: '4K..48K': 48K is not reached by doubling"));
}

TEST(QuestionsSection, DepthsAreAListAStepOrACount) {
  const auto depths = [](const std::string& text) {
    return kept(parse(with_samples("100") + "depths: " + text + "\n")).depths;
  };
  EXPECT_THAT(parse(kSweep).depths, IsEmpty()) << "those of the protocol";
  EXPECT_THAT(sweep_to_json(parse(kSweep)), Not(HasSubstr("depths")));
  EXPECT_THAT(depths("[90, 10, 50%]"), ElementsAre(10, 50, 90));
  EXPECT_THAT(depths("0..100 step 25"), ElementsAre(0, 25, 50, 75, 100));
  EXPECT_THAT(depths("[0..20 step 10, 99.5]"), ElementsAre(0, 10, 20, 99.5));
  EXPECT_THAT(depths("{count: 3}"), ElementsAre(0, 50, 100));
  EXPECT_THAT(depths("{step: 50}"), ElementsAre(0, 50, 100));
  EXPECT_THAT(depths("50"), ElementsAre(50));
  EXPECT_THAT(depths("0.5%"), ElementsAre(0.5));
  EXPECT_THAT(depths("[0, 1]"), ElementsAre(0, 1));
  EXPECT_THAT(depths("[]"), IsEmpty());
}

TEST(QuestionsSection, DepthsThatMakeNoSenseAreRefused) {
  const auto refused = [](const std::string& text) {
    return refusal(kSweep + "depths: " + text + "\n");
  };
  EXPECT_THAT(refused("[0, 0.25, 0.5, 1]"), HasSubstr("s.yaml:11:9: depths: depths are percent"));
  EXPECT_THAT(refused("[10, 10%]"), HasSubstr("10% is listed twice"));
  EXPECT_THAT(refused("{count: 0}"),
              HasSubstr("depths.count: expected an integer from 1 to 1,000"));
  EXPECT_THAT(refused("{step: 30}"),
              HasSubstr("depths.step: '0..100 step 30': 100 is not reached"));
  EXPECT_THAT(refused("{}"), HasSubstr("{count: 11} or {step: 10}"));
  EXPECT_THAT(refused("{count: 3, step: 50}"), HasSubstr("{count: 11} or {step: 10}"));
  EXPECT_THAT(refused("[[1]]"), HasSubstr("depths: "));
  EXPECT_THAT(refused("{count: 11}"),
              HasSubstr("samples: 10 of s1 at 4K do not reach all 11 depths"));
  EXPECT_THAT(refused("50\nprotocol: ruler"), HasSubstr("given ones belong to protocol niah"));
}

TEST(QuestionsSection, TasksMayHaveTheirNamesOfLmEval) {
  const SweepConfig sweep = parse(replaced(
      kSweep, "[s1, s2]", "[niah_single_1, s2, niah_single_3, niah_multikey_2, niah_multiquery]"));
  EXPECT_THAT(sweep.tasks, ElementsAre("s1", "s2", "s3", "multikey_2", "multiquery"));
  EXPECT_THAT(refusal(replaced(kSweep, "[s1, s2]", "[s1, niah_single_1]")),
              HasSubstr("'niah_single_1' is listed twice"));
  EXPECT_THAT(refusal(replaced(kSweep, "[s1, s2]", "[niah_single_4]")),
              HasSubstr("'niah_single_4' is not a task of protocol niah"));
}

TEST(QuestionsSection, CountsMayDifferByTaskAndLength) {
  const SweepConfig by_task = kept(parse(with_samples("{s1: 7, niah_single_2: {4K: 5, 8K: 3}}")));
  EXPECT_EQ(by_task.samples.at("s1", 4096), 7);
  EXPECT_EQ(by_task.samples.at("s1", 8192), 7);
  EXPECT_EQ(by_task.samples.at("s2", 4096), 5);
  EXPECT_EQ(by_task.samples.at("s2", 8192), 3);
  const SweepConfig mixed = kept(parse(with_samples("{4K: 40, 8K: 20, s2: {8K: 2}}")));
  EXPECT_EQ(mixed.samples.at("s1", 8192), 20);
  EXPECT_EQ(mixed.samples.at("s2", 4096), 40);
  EXPECT_EQ(mixed.samples.at("s2", 8192), 2);
}

TEST(QuestionsSection, CountsThatAreMissingOrForNothingAreRefused) {
  EXPECT_THAT(refusal(with_samples("{s1: 7}")), HasSubstr("samples: no count for s2 at length 4K"));
  EXPECT_THAT(refusal(with_samples("{s1: 7, s2: {4K: 5}}")),
              HasSubstr("no count for s2 at length 8K"));
  EXPECT_THAT(refusal(with_samples("{s1: 7, s2: 8, s3: 1}")),
              HasSubstr("samples.s3: s3 is none of `tasks`"));
  EXPECT_THAT(refusal(with_samples("{s1: 7, s2: {16K: 5}}")),
              HasSubstr("samples.s2.16K: 16K is none of `lengths`"));
  EXPECT_THAT(refusal(with_samples("{s1: 7, niah_single_1: 8, s2: 1}")),
              HasSubstr("the counts for s1 were already given"));
  EXPECT_THAT(refusal(with_samples("{s9: 7}")), HasSubstr("samples.s9: expected a length"));
  EXPECT_THAT(refusal(with_samples("{s1: 0, s2: 1}")),
              HasSubstr("samples.s1: expected an integer"));
  EXPECT_EQ(refusal(with_samples("{s1: 7, s2: 8}"), {{"tasks", "[s2]"}}), "accepted")
      << "an option may ask for some of the tasks";
}

TEST(QuestionsSection, NullAndEmptyListsPutAKeyBack) {
  const std::string full = kSweep +
                           "depths: [10, 20]\nreasoning: [{kind: word-problems}]\n"
                           "report: {caveats: [a]}\nhaystack: {kind: prose}\n";
  const SweepConfig all = parse(full);
  EXPECT_EQ(all.reasoning.size(), 1U);
  for (const char* none : {"[]", "null"}) {
    EXPECT_THAT(parse(full, {{"depths", none}}).depths, IsEmpty()) << none;
    EXPECT_THAT(parse(full, {{"reasoning", none}}).reasoning, IsEmpty()) << none;
    EXPECT_THAT(parse(full, {{"report.caveats", none}}).caveats, IsEmpty()) << none;
    EXPECT_THAT(refusal(full, {{"tasks", none}}), HasSubstr("--set tasks: ")) << none;
  }
  EXPECT_EQ(parse(full, {{"haystack", "null"}}).haystack.kind, tasks::HaystackKind::kKjv);
  EXPECT_EQ(refusal(full, {{"models.0.override", "null"}, {"samples_from", "null"}}), "accepted");
  const std::string files = "name: x\nsamples_from: s.jsonl\nmodels: [{name: m, base: b}]\n";
  EXPECT_EQ(refusal(files,
                    {{"samples_from", "[]"}, {"tasks", "s1"}, {"lengths", "4K"}, {"samples", "1"}}),
            "accepted");
}

}  // namespace
}  // namespace niah
