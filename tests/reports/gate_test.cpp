#include "reports/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

#include "reports/junit.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Whether sample `index` of the cell at `length` is a hit.
using Hit = std::function<bool(std::int64_t length, std::int64_t index)>;

RunInfo nightly_info() {
  RunInfo info = synthetic_info();
  info.tasks = {"s2"};
  info.lengths = {4096, 65536};
  info.variants.resize(1);
  return info;
}

Results nightly(std::int64_t n, const Hit& hit, const RunInfo& info = nightly_info()) {
  Collector collector(info);
  for (const std::int64_t length : info.lengths) {
    for (std::int64_t i = 0; i < n; ++i) {
      const Record record = synthetic_record(info.variants[0].fingerprint, "s2", length, i);
      collector.add(hit(length, i) ? record : missed(record));
    }
  }
  return std::move(collector).finish();
}

bool always(std::int64_t, std::int64_t) { return true; }

std::string refusal(const Results& baseline, const Results& current) {
  try {
    gate(baseline, current);
  } catch (const DataError& error) {
    return error.what();
  }
  return "compared";
}

TEST(Gate, PassesWhatDidNotChange) {
  const Verdict verdict = gate(nightly(200, always), nightly(200, always));
  EXPECT_EQ(verdict.exit_code(), ExitCode::kOk);
  ASSERT_EQ(verdict.cells.size(), 2U);
  EXPECT_LT(*verdict.cells[0].detectable, 0.2);
  EXPECT_THAT(gate_lines(verdict),
              HasSubstr("S2 at 4K: 100.0 → 100.0 (n = 200, shows a drop of 5 points)"));
}

TEST(Gate, MatchesVariantsByNameBecauseTheWeightsAreOthers) {
  RunInfo other = nightly_info();
  other.variants[0].fingerprint = "f-tonight";
  EXPECT_EQ(gate(nightly(200, always), nightly(200, always, other)).exit_code(), ExitCode::kOk);
}

TEST(Gate, FailsOnASignificantDropInOneCellAndNamesIt) {
  const Results current = nightly(
      200, [](std::int64_t length, std::int64_t i) { return length == 4096 || i % 5 != 0; });
  const Verdict verdict = gate(nightly(200, always), current);
  EXPECT_EQ(verdict.exit_code(), ExitCode::kCheckFailed);
  EXPECT_EQ(verdict.cells[0].outcome, GateOutcome::kPass);
  EXPECT_EQ(verdict.cells[1].outcome, GateOutcome::kRegression);
  EXPECT_THAT(gate_markdown(verdict),
              AllOf(HasSubstr("## Recall was lost"), HasSubstr("| S2 at 64K |"),
                    HasSubstr("recall fell from 100 % to 80 %")));
  EXPECT_THAT(gate_lines(verdict), testing::StartsWith("regression    hypenet base S2"));
}

TEST(Gate, ToleratesADropBelowMaxDropHoweverSignificant) {
  const Results current = nightly(1000, [](std::int64_t, std::int64_t i) { return i % 25 != 0; });
  EXPECT_LT(gate(nightly(1000, always), current).cells[0].adjusted, 1e-6);
  EXPECT_NE(gate(nightly(1000, always), current).cells[0].outcome, GateOutcome::kRegression);
}

TEST(Gate, FindsADropInOneDepthBandThatHardlyMovesTheMean) {
  // Depths run through 40 values; the first 4 make one band, a thirteenth of which is lost.
  const auto band_lost = [](std::int64_t, std::int64_t i) {
    return i % 40 >= 4 || i / 40 % 13 != 0;
  };
  const Verdict verdict = gate(nightly(1040, always), nightly(1040, band_lost));
  EXPECT_LT(-verdict.cells[0].pairs.difference(), 0.01) << "less than a point";
  EXPECT_EQ(verdict.cells[0].outcome, GateOutcome::kPass);
  EXPECT_TRUE(verdict.bands[0].regression);
  EXPECT_FALSE(verdict.bands[1].regression);
  EXPECT_EQ(verdict.exit_code(), ExitCode::kCheckFailed);
}

TEST(Gate, IsInconclusiveWhereNCannotDecide) {
  const Verdict same = gate(nightly(10, always), nightly(10, always));
  EXPECT_EQ(same.exit_code(), ExitCode::kInconclusive);
  EXPECT_THAT(same.cells[0].reason, HasSubstr("would only show a drop of"));
  const Verdict tiny = gate(nightly(2, always), nightly(2, always));
  EXPECT_THAT(tiny.cells[0].reason, HasSubstr("would not show any drop"));
  const Verdict fell =
      gate(nightly(50, always), nightly(50, [](std::int64_t, std::int64_t i) { return i >= 4; }));
  EXPECT_EQ(fell.exit_code(), ExitCode::kInconclusive);
  EXPECT_THAT(fell.cells[0].reason, HasSubstr("cannot tell this from chance"));
}

TEST(Gate, SaysWhenTheValueBecameLessLikelyBeforeRecallFalls) {
  RunInfo info = nightly_info();
  const auto night = [&](double log_prob) {
    Collector collector(info);
    for (std::int64_t i = 0; i < 100; ++i) {
      Record record = synthetic_record(info.variants[0].fingerprint, "s2", 4096, i);
      record.value_log_prob = log_prob - 0.001 * static_cast<double>(i % 7);
      collector.add(record);
    }
    return std::move(collector).finish();
  };
  info.lengths = {4096};
  const Verdict fell = gate(night(-0.1), night(-0.4));
  EXPECT_EQ(fell.exit_code(), ExitCode::kOk) << "a hint, not a verdict";
  EXPECT_THAT(gate_lines(fell), HasSubstr("the value's log-probability fell by 0.30 nats"));
  EXPECT_THAT(gate_markdown(fell), HasSubstr("| −0.30 (−0.30 to −0.30) |"));
  EXPECT_THAT(gate_lines(gate(night(-0.1), night(-0.1))), testing::Not(HasSubstr("nats")));
  EXPECT_THAT(gate_lines(gate(night(-0.4), night(-0.1))), testing::Not(HasSubstr("nats")));
}

TEST(Gate, IsNeverGreenWhereACellWasNotMeasured) {
  const Results baseline = nightly(200, always);
  RunInfo shorter = nightly_info();
  shorter.lengths = {4096};
  EXPECT_EQ(gate(baseline, nightly(200, always, shorter)).exit_code(), ExitCode::kNotMeasured);
  EXPECT_EQ(gate(baseline, nightly(0, always)).exit_code(), ExitCode::kNotMeasured);
  EXPECT_EQ(gate(nightly(0, always), nightly(0, always)).exit_code(), ExitCode::kNotMeasured);

  Collector collector(nightly_info());
  for (const std::int64_t length : nightly_info().lengths)
    for (std::int64_t i = 0; i < 200; ++i) {
      const Record record = synthetic_record("f-base", "s2", length, i);
      collector.add(i == 7 ? unmeasured(record) : record);
    }
  const Verdict partly = gate(baseline, std::move(collector).finish());
  EXPECT_EQ(partly.exit_code(), ExitCode::kNotMeasured);
  EXPECT_THAT(partly.cells[0].reason, HasSubstr("1 sample could not be measured"));
}

TEST(Gate, TakesFewerSamplesOnlyWhenTold) {
  const Results baseline = nightly(400, always);
  const Results current = nightly(200, always);
  EXPECT_EQ(gate(baseline, current).exit_code(), ExitCode::kNotMeasured);
  EXPECT_EQ(gate(baseline, current, {.allow_fewer_samples = true}).exit_code(), ExitCode::kOk);
}

TEST(Gate, RefusesWhatWasNotAskedTheSameAndSaysWhy) {
  const Results baseline = nightly(20, always);
  const auto with = [](auto change) {
    RunInfo info = nightly_info();
    change(info);
    return nightly(20, always, info);
  };
  EXPECT_THAT(refusal(baseline, with([](RunInfo& info) { info.protocol = "ruler"; })),
              AllOf(HasSubstr("protocol"), HasSubstr("ruler")));
  EXPECT_THAT(refusal(baseline, with([](RunInfo& info) { info.tokenizer = "other"; })),
              HasSubstr("tokenizer"));
  EXPECT_THAT(refusal(baseline, with([](RunInfo& info) { info.haystack = "kjv"; })),
              HasSubstr("haystack"));
  EXPECT_THAT(refusal(baseline, with([](RunInfo& info) { info.seed = 2; })), HasSubstr("seed"));
  Results other_prompts = nightly(20, always);
  other_prompts.cells[0].samples[3].prompt ^= 1;
  EXPECT_THAT(refusal(baseline, other_prompts),
              AllOf(HasSubstr("sample 3 of S2 at 4K"), HasSubstr("another prompt")));
}

/// Nights of the same two checkpoints on the same samples: a sample's outcome is its difficulty and
/// a little luck, so pairs are alike as they are in reality; tonight's recall is `drop` lower.
int alarms(int nights, std::int64_t n, double recall, double drop, const GateOptions& options) {
  int count = 0;
  for (int night = 0; night < nights; ++night) {
    std::mt19937 random(static_cast<unsigned>(night));
    std::uniform_real_distribution<double> uniform;
    std::map<std::pair<std::int64_t, std::int64_t>, double> difficulty;
    const auto draw = [&](double share) {
      return [&, share](std::int64_t length, std::int64_t i) {
        const auto [sample, fresh] = difficulty.try_emplace({length, i}, 0);
        if (fresh) sample->second = uniform(random);
        constexpr double kLuck = 0.3;  // of the samples are decided anew every night
        return (uniform(random) < kLuck ? uniform(random) : sample->second) < share;
      };
    };
    const Results baseline = nightly(n, draw(recall));
    const Results current = nightly(n, draw(recall - drop));
    count += gate(baseline, current, options).exit_code() == ExitCode::kCheckFailed;
  }
  return count;
}

TEST(Gate, RaisesFewerFalseAlarmsThanItsAlphaAllows) {
  // The strictest setting: any significant drop fails, however small.
  const int strict = alarms(1000, 120, 0.8, 0, {.max_drop = 0});
  const int usual = alarms(1000, 120, 0.8, 0, {});
  RecordProperty("false_alarms_of_1000_at_max_drop_0", strict);
  RecordProperty("false_alarms_of_1000", usual);
  EXPECT_LE(strict, 50);
  EXPECT_LE(usual, 50);
}

TEST(Gate, FindsADropOfTwentyPointsAtAHundredSamples) {
  const int found = alarms(1000, 100, 0.95, 0.2, {});
  RecordProperty("drops_of_20_points_found_of_1000", found);
  EXPECT_GE(found, 950);
}

TEST(Junit, IsNeverGreenerThanTheVerdict) {
  const Results current = nightly(
      200, [](std::int64_t length, std::int64_t i) { return length == 4096 || i % 5 != 0; });
  const std::string failed = junit_xml(gate(nightly(200, always), current), "night <1>");
  EXPECT_THAT(failed, AllOf(HasSubstr("name=\"night &lt;1&gt;\" tests=\"12\" failures=\"1\""),
                            HasSubstr("<failure message=\"recall fell from 100 % to 80 %")));
  const std::string thin = junit_xml(gate(nightly(2, always), nightly(2, always)), "n");
  EXPECT_THAT(thin, HasSubstr("skipped=\"2\""));
  const std::string none = junit_xml(gate(nightly(2, always), nightly(0, always)), "n");
  EXPECT_THAT(none, AllOf(HasSubstr("errors=\"2\""), HasSubstr("<error message=")));
}

}  // namespace
}  // namespace niah::reports
