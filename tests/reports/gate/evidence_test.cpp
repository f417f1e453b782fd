#include "reports/gate/evidence.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "reports/gate/junit.h"
#include "reports/gate/verdict_json.h"
#include "tests/refusal.h"
#include "tests/reports/synthetic_run.h"
#include "tests/temporary_folder.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Loses so many percent of the samples of either length, evenly over depths.
Hit losing(std::int64_t near, std::int64_t far) {
  return [=](std::int64_t length, std::int64_t i) {
    return i * 37 % 100 >= (length == 4096 ? near : far);
  };
}

std::string place_of(const std::string& text, const std::string& part) {
  const std::size_t at = text.find(part);
  return at == text.npos ? "" : text.substr(at);
}

TEST(Evidence, SaysHowManySamplesTurnedAndHowToLookAtTheFirst) {
  Verdict verdict = gate(nightly(200, [](std::int64_t, std::int64_t i) { return i != 99; }),
                         nightly(200, losing(0, 30)));
  const GateCell& cell = verdict.cells[1];
  EXPECT_EQ(cell.lost.size(), 60U);
  EXPECT_EQ(cell.lost[0].index, 0);
  ASSERT_EQ(cell.gained.size(), 1U);
  EXPECT_EQ(cell.gained[0].index, 99);
  EXPECT_EQ(sample_lines(verdict, cell).size(), 5U) << "no commands without a place";
  verdict.current.place = "nights/it's 3";
  const std::vector<std::string> lines = sample_lines(verdict, cell);
  EXPECT_EQ(lines.at(0), "60 samples lost, 1 gained");
  EXPECT_EQ(lines.at(1), "lost s2@64K#0 at depth 0 %");
  EXPECT_EQ(lines.at(2), "  niah show 'nights/it'\\''s 3' 's2@64K#0'");
  EXPECT_EQ(lines.at(3), "  niah replay 'nights/it'\\''s 3' 's2@64K#0'");
  EXPECT_THAT(lines.at(10), StartsWith("gained s2@64K#99"));
  EXPECT_THAT(sample_lines(verdict, verdict.cells[0]), testing::IsEmpty());
}

TEST(Evidence, HasBothAnswersAndTheTimeOfEachCellFromTheJournals) {
  const TemporaryFolder folder;
  Verdict verdict = gate(nightly(200, always), nightly(200, losing(0, 30)));
  std::string before, now;
  for (std::int64_t i = 0; i < 200; ++i) {
    Record record = synthetic_record("f-base", "s2", 65536, i);
    before += nlohmann::json(record).dump() + "\n";
    record.text = "a \x1b[31mred\nlie";
    now += nlohmann::json(record).dump() + "\n";
  }
  add_evidence(folder.write("before.jsonl", before), folder.write("now.jsonl", now), verdict);
  EXPECT_EQ(verdict.cells[1].seconds, 50);
  EXPECT_FALSE(verdict.cells[0].seconds) << "the journal has nothing of it";
  EXPECT_THAT(sample_lines(verdict, verdict.cells[1]).at(1),
              AllOf(HasSubstr("7654321 was asked for"),
                    HasSubstr("the baseline said \"The special magic number is 7654321.\""),
                    HasSubstr("this run said \"a  [31mred lie\"")));
  EXPECT_THAT(junit_xml(verdict, "n"), AllOf(HasSubstr("time=\"50.000\""), HasSubstr("7654321")));
  add_evidence(folder.path() / "none", folder.path() / "none either", verdict);
}

TEST(Evidence, NamesBothCheckpoints) {
  RunInfo info = nightly_info();
  info.config_json =
      R"({"models":[{"name":"hypenet","base":"checkpoints/v2","variants":[{"name":"base","of":"base"}]}]})";
  Verdict verdict = gate(nightly(200, always, info), nightly(200, always, info));
  verdict.current.place = "nights/3";
  EXPECT_EQ(side_words(verdict.current),
            "nights/3, ended 2026-06-11T09:30:00Z: hypenet base (base, checkpoints/v2, fingerprint "
            "f-base)");
  EXPECT_THAT(gate_lines(verdict),
              AllOf(HasSubstr("\nthis run: nights/3, ended"), HasSubstr("\nbaseline: ")));
  EXPECT_THAT(junit_xml(verdict, "n"), HasSubstr("<property name=\"run\" value=\"nights/3, "));
  for (const char* config : {"", "[]", R"({"models":7})", R"({"models":[{"name":"hypenet"}]})",
                             R"({"models":[{"name":"hypenet","variants":[{"name":"base"}]}]})"}) {
    info.config_json = config;
    const Results results = nightly(200, always, info);
    EXPECT_THAT(gate(results, results).current.variants,
                ElementsAre("hypenet base (base, fingerprint f-base)"));
  }
}

TEST(Evidence, NamesTheWeightsAsInfoDoesAndHowTheyWereComputed) {
  RunInfo info = nightly_info();
  info.arithmetic = {{"device", "cuda"}, {"dtype", "bf16"}};
  info.variants[0].weights_sha256 = "b0b5d2175a7c3c03" + std::string(48, '0');
  const Results results = nightly(200, always, info);
  const Verdict verdict = gate(results, results);
  EXPECT_THAT(side_words(verdict.current),
              testing::EndsWith(", bf16 on cuda: hypenet base (base, weights b0b5d2175a7c3c03, "
                                "fingerprint f-base)"));
  EXPECT_THAT(verdict_json(verdict), HasSubstr("\"arithmetic\": \"bf16 on cuda\""));
}

TEST(Alarm, BeginsWithTheLargestLossAndFoldsBandsWhereItIsEven) {
  const std::string lines = gate_lines(gate(nightly(1000, always), nightly(1000, losing(20, 60))));
  EXPECT_THAT(lines, StartsWith("regression    hypenet base S2 at 64K: 100.0 → 40.0"));
  EXPECT_THAT(place_of(lines, "at 64K"), HasSubstr("hypenet base S2 at 4K: 100.0 → 80.0"));
  EXPECT_THAT(place_of(lines, "at 4K"),
              HasSubstr("hypenet base S2 at every depth, all lengths: 100.0 → 60.0 (n = 2000"));
  EXPECT_THAT(lines, Not(HasSubstr("at depth 0–10 %, all lengths")));
}

TEST(Alarm, NamesTheBandsWhereTheLossIsNotEven) {
  // Depths cycle through 40 values, of which the first 8 make two bands.
  const auto shallow = [](std::int64_t, std::int64_t i) { return i % 40 >= 8; };
  const std::string lines = gate_lines(gate(nightly(400, always), nightly(400, shallow)));
  EXPECT_THAT(lines,
              AllOf(HasSubstr("S2 at depth 0–10 %, all lengths"),
                    HasSubstr("S2 at depth 10–20 %, all lengths"), Not(HasSubstr("every depth"))));
}

TEST(Alarm, SaysNothingOfALogProbabilityThatFellByNothing) {
  RunInfo info = nightly_info();
  info.lengths = {4096};
  const auto night = [&](double log_prob) {
    Collector collector(info);
    for (std::int64_t i = 0; i < 200; ++i) {
      Record record = synthetic_record("f-base", "s2", 4096, i);
      record.value_log_prob = log_prob;
      collector.add(record);
    }
    return std::move(collector).finish();
  };
  EXPECT_THAT(gate_lines(gate(night(-0.1), night(-0.101))), Not(HasSubstr("nats")));
  EXPECT_THAT(gate_lines(gate(night(-0.1), night(-0.12))), HasSubstr("fell by 0.02 nats"));
}

TEST(Tolerance, OfACellOrATaskTakesThePlaceOfMaxDrop) {
  const Results baseline = nightly(400, always), current = nightly(400, losing(10, 20));
  GateOptions options;
  EXPECT_EQ(gate(baseline, current, options).exit_code(), ExitCode::kCheckFailed);
  options.tolerances = {{"s2", 65536, 0.25}};
  const Verdict near = gate(baseline, current, options);
  EXPECT_EQ(near.cells[0].outcome, GateOutcome::kRegression);
  EXPECT_NE(near.cells[1].outcome, GateOutcome::kRegression);
  EXPECT_THAT(gate_markdown(near), HasSubstr("more than 5 points (25 in S2 at 64K) that is"));
  options.tolerances = {{"s2", 0, 0.25}};
  options.detectable = 0.4;
  EXPECT_EQ(gate(baseline, current, options).exit_code(), ExitCode::kOk);
  options.tolerances = {{"s3", 0, 0.25}};
  EXPECT_THAT(refusal_of<UsageError>([&] { gate(baseline, current, options); }),
              HasSubstr("--tolerance: the baseline has no S3, it has s2"));
  options.tolerances = {{"s2", 1, 0.25}};
  EXPECT_THROW(gate(baseline, current, options), UsageError);
}

TEST(Inconclusive, PassesWhereThatIsAskedForButIsNotCalledNoLoss) {
  GateOptions options;
  options.inconclusive_passes = true;
  const Verdict thin = gate(nightly(10, always), nightly(10, always), options);
  EXPECT_EQ(thin.exit_code(), ExitCode::kOk);
  EXPECT_THAT(gate_markdown(thin), StartsWith("## The evidence does not suffice"));
  EXPECT_THAT(junit_xml(thin, "n"), HasSubstr("skipped=\"2\""));
  EXPECT_EQ(nlohmann::json::parse(verdict_json(thin)).at("verdict"), "inconclusive");
  EXPECT_EQ(gate(nightly(10, always), nightly(0, always), options).exit_code(),
            ExitCode::kNotMeasured);
}

TEST(VerdictJson, HasWhatProgramsNeed) {
  const auto json =
      nlohmann::json::parse(verdict_json(gate(nightly(200, always), nightly(200, losing(0, 30)))));
  EXPECT_EQ(json.at("exit_code"), 1);
  EXPECT_EQ(json.at("verdict"), "regression");
  const auto& cell = json.at("cells").at(1);
  EXPECT_EQ(cell.at("outcome"), "regression");
  EXPECT_EQ(cell.at("recall"), 0.7);
  EXPECT_EQ(cell.at("lost").size(), 60U);
  const auto refused = nlohmann::json::parse(json_of_refusal("no \xFF", ExitCode::kUsage));
  EXPECT_EQ(refused.at("verdict"), "refused");
  EXPECT_EQ(refused.at("exit_code"), 2);
}

TEST(Junit, CasesThatPassHaveTheirFigure) {
  const std::string junit = junit_xml(gate(nightly(200, always), nightly(200, always)), "n");
  EXPECT_THAT(junit, AllOf(HasSubstr("name=\"S2 at 4K\">\n    <system-out>100.0 → 100.0 (n = "
                                     "200)</system-out>"),
                           Not(HasSubstr("<properties>"))));
}

TEST(Junit, ARefusalIsOneCaseThatIsAnError) {
  EXPECT_THAT(junit_of_refusal("the <seed> differs", "night"),
              AllOf(HasSubstr("tests=\"1\" failures=\"0\" errors=\"1\""),
                    HasSubstr("<error message=\"the &lt;seed&gt; differs\"/>")));
  EXPECT_THAT(refusal_markdown("the <seed>\ndiffers"),
              StartsWith("## Not compared: the &lt;seed> differs\n"));
}

}  // namespace
}  // namespace niah::reports
