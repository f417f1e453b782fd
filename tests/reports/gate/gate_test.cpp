#include "reports/gate/gate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "harness/base/files.h"
#include "harness/base/text.h"
#include "reports/gate/junit.h"
#include "tests/paths.h"
#include "tests/refusal.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const Results& baseline, const Results& current) {
  return refusal_of([&] { gate(baseline, current); });
}

TEST(Gate, PassesWhatDidNotChange) {
  const Verdict verdict = gate(nightly(200, always), nightly(200, always));
  EXPECT_EQ(verdict.exit_code(), ExitCode::kOk);
  ASSERT_EQ(verdict.cells.size(), 2U);
  EXPECT_LT(*verdict.cells[0].detectable, 0.2);
  EXPECT_THAT(
      gate_lines(verdict),
      HasSubstr("S2 at 4K: 100.0 → 100.0 (n = 200, shows a drop of 6.8 points in one of 2 tests)"));
  EXPECT_THAT(gate_markdown(verdict),
              HasSubstr("finds a drop of 6.8 points in one of 2 tests of cells"));
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
  // Depths cycle through 40 values, of which the first 4 make one band; one in 13 of its samples is
  // lost.
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

TEST(Gate, ManyInconclusiveCellsAreOneLineThatNamesTheFirst) {
  RunInfo info = nightly_info();
  info.lengths = {1024, 2048, 4096, 8192, 16384};
  const auto lost = [](std::int64_t length, std::int64_t i) { return length != 16384 || i > 0; };
  const Verdict verdict = gate(nightly(12, always, info), nightly(12, lost, info));
  const std::string lines = gate_lines(verdict);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2) << lines;
  EXPECT_THAT(lines, HasSubstr("inconclusive  5 cells: hypenet base S2 at 1K, hypenet base S2 at "
                               "2K, hypenet base S2 at 4K and 2 more (n = 12): too few samples for "
                               "5 tests; in 1 of them recall fell by more than 5 points"));
  EXPECT_THAT(gate_markdown(verdict), AllOf(HasSubstr("| S2 at 8K |"), HasSubstr("| S2 at 16K |")));
  EXPECT_THAT(junit_xml(verdict, "n"), HasSubstr("skipped=\"5\""));
  info.lengths = {1024, 2048, 4096};
  const std::string few = gate_lines(gate(nightly(12, always, info), nightly(12, always, info)));
  EXPECT_EQ(std::count(few.begin(), few.end(), '\n'), 4) << few;
  EXPECT_THAT(few, HasSubstr("points or more in one of 3 tests\n"));
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

/// `night` with its samples hits or misses anew.
Results drawn_anew(Results night, const Hit& hit) {
  for (Cell& cell : night.cells) {
    cell.hits = 0;
    for (Outcome& sample : cell.samples) {
      sample.hit = hit(cell.length, sample.index);
      cell.hits += sample.hit ? 1 : 0;
    }
  }
  return night;
}

/// The number of `nights` on which the gate fails. A sample's outcome depends on its difficulty and
/// a little chance, so that pairs are correlated as in reality; the second run's recall is lower by
/// `drop`.
int alarms(int nights, std::int64_t n, double recall, double drop, const GateOptions& options) {
  int count = 0;
  const Results all_found = nightly(n, always);
  for (int night = 0; night < nights; ++night) {
    std::mt19937 random(static_cast<unsigned>(night));
    std::uniform_real_distribution<double> uniform;
    std::map<std::pair<std::int64_t, std::int64_t>, double> difficulty;
    const auto draw = [&](double share) {
      return [&, share](std::int64_t length, std::int64_t i) {
        const auto [sample, fresh] = difficulty.try_emplace({length, i}, 0);
        if (fresh) sample->second = uniform(random);
        constexpr double kLuck = 0.3;  // share of outcomes drawn anew every night
        return (uniform(random) < kLuck ? uniform(random) : sample->second) < share;
      };
    };
    const Results baseline = drawn_anew(all_found, draw(recall));
    const Results current = drawn_anew(all_found, draw(recall - drop));
    count += gate(baseline, current, options).exit_code() == ExitCode::kCheckFailed;
  }
  return count;
}

TEST(Gate, RaisesFewerFalseAlarmsThanItsAlphaAllows) {
  // The strictest setting, in which any significant drop fails.
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

/// A sweep of `cells` cells of `n` samples each, in which a sample is lost by chance with
/// probability `noise`, and gained with the same probability.
struct SweepShape {
  std::int64_t n;
  std::size_t cells;
  double noise;
};

/// The verdict on one night; the first cell's recall fell by `drop`.
Verdict night_of(const SweepShape& shape, double drop, std::mt19937& random) {
  RunInfo info = nightly_info();
  info.lengths.clear();
  for (std::size_t i = 0; i < shape.cells; ++i) info.lengths.push_back(1024 * (1 + i));
  std::uniform_real_distribution<double> uniform;
  std::vector<Results> nights(2);
  for (Results& results : nights) {
    results.run = info;
    results.cells.resize(shape.cells);
  }
  for (std::size_t c = 0; c < shape.cells; ++c)
    for (std::int64_t i = 0; i < shape.n; ++i) {
      const double loss = shape.noise + (c == 0 ? drop : 0);
      const double draw = uniform(random);
      const bool lost = draw < loss, gained = !lost && draw < loss + shape.noise;
      for (Results& results : nights) {
        Cell& cell = results.cells[c];
        cell.kind = "recall";
        cell.variant = info.variants[0].fingerprint;
        cell.task = "s2";
        cell.length = info.lengths[c];
        const bool hit = &results == &nights[0] ? !gained : !lost;
        cell.samples.push_back({.index = i,
                                .depth = static_cast<double>(i % 40) * 2.5,
                                .prompt = static_cast<std::uint64_t>(i) + 1,
                                .scored = true,
                                .hit = hit,
                                .log_prob = std::nullopt});
        ++cell.n;
        cell.hits += hit ? 1 : 0;
      }
    }
  return gate(nights[0], nights[1]);
}

/// The number of 1,000 nights on which the drop in the first cell is found.
int nights_found(const SweepShape& shape, double drop) {
  std::mt19937 random(20261127);
  int found = 0;
  for (int night = 0; night < 1000; ++night)
    found += night_of(shape, drop, random).cells[0].outcome == GateOutcome::kRegression ? 1 : 0;
  return found;
}

/// The detectable drop that a night with exactly the expected noise and no loss states for its
/// first cell.
double quoted_drop(const SweepShape& shape) {
  const auto changed = static_cast<std::int64_t>(shape.noise * static_cast<double>(shape.n));
  RunInfo info = nightly_info();
  info.lengths.clear();
  for (std::size_t i = 0; i < shape.cells; ++i) info.lengths.push_back(1024 * (1 + i));
  const Results baseline = nightly(
      shape.n, [&](std::int64_t, std::int64_t i) { return i >= changed; }, info);
  const Results current = nightly(
      shape.n, [&](std::int64_t, std::int64_t i) { return i < changed || i >= 2 * changed; }, info);
  return gate(baseline, current).cells[0].detectable.value();
}

/// Pages and logs promise that a drop of the stated size is found four times in five.
TEST(Gate, FindsTheDropThatItNamesFourTimesInFive) {
  for (const SweepShape& shape :
       {SweepShape{200, 2, 0}, SweepShape{40, 21, 0}, SweepShape{120, 10, 0.05}}) {
    const double drop = quoted_drop(shape);
    const int found = nights_found(shape, drop);
    SCOPED_TRACE(testing::Message() << shape.n << " samples, " << shape.cells << " cells, drop "
                                    << drop << ": found " << found);
    EXPECT_GE(found, 750);
    EXPECT_LE(found, 850);
    RecordProperty("found_of_1000_at_n_" + std::to_string(shape.n), found);
  }
}

/// A drop in the cell itself hardly changes the detectable drop that is stated for it.
TEST(Gate, NamesNearlyTheSameDropOnANightThatFell) {
  const SweepShape shape{120, 10, 0.05};
  std::mt19937 random(1);
  double sum = 0;
  for (int night = 0; night < 100; ++night)
    sum += night_of(shape, 0.1, random).cells[0].detectable.value() / 100;
  EXPECT_NEAR(sum, quoted_drop(shape), 0.02);
}

TEST(Gate, ABetterNightIsNotInconclusiveForItsGains) {
  const auto half = [](std::int64_t, std::int64_t i) { return i % 2 == 0; };
  EXPECT_EQ(gate(nightly(200, half), nightly(200, always)).exit_code(), ExitCode::kOk);
}

TEST(Gate, TheCountsOfTheNightlySweepSuffice) {
  // configs/nightly.yaml: 9 cells of 120 samples and a reasoning set of 100.
  const DropRule rule{.alpha = 0.05, .tests = 10, .factor = 2, .max_drop = 0.05};
  EXPECT_LT(DropPower(120, rule).smallest_drop(0.8, 0.03).value(), GateOptions().detectable);
  EXPECT_LT(DropPower(100, rule).smallest_drop(0.8, 0.02).value(), GateOptions().detectable);
}

/// Without answers that change by chance, and with a twentieth that do.
TEST(Gate, ReadmeAndTheNightlySweepQuoteTheDropThatItFinds) {
  const DropPower power(120, {.alpha = 0.05, .tests = 10, .factor = 2, .max_drop = 0.05});
  const std::string quoted = fmt::format(
      "finds a drop of {:.0f} to {:.0f} points four times in five",
      100 * power.smallest_drop(0.8, 0).value(), 100 * power.smallest_drop(0.8, 0.05).value());
  for (const char* name : {"README.md", "configs/nightly.yaml"}) {
    std::string text = read_file(std::string(NIAH_SOURCE_DIR "/") + name, "test");
    text = replace_all(replace_all(text, "\n# ", " "), "\n", " ");
    EXPECT_NE(text.find(quoted), std::string::npos) << name << ": " << quoted;
  }
}

TEST(Gate, NamesWhatWasComputedOtherwiseAndDoesNotRefuseIt) {
  RunInfo info = nightly_info();
  info.arithmetic = {{"device", "cpu"}, {"dtype", "fp32"}, {"processor", "Xeon <A>"}};
  const Results baseline = nightly(200, always, info);
  EXPECT_THAT(gate_lines(gate(baseline, baseline)), testing::Not(HasSubstr("note")));
  info.arithmetic = {{"device", "cuda"}, {"dtype", "bf16"}, {"processor", "Xeon <A>"}};
  const Verdict verdict = gate(baseline, nightly(200, always, info));
  EXPECT_EQ(verdict.exit_code(), ExitCode::kOk);
  const std::string words = "device (cpu against cuda), dtype (fp32 against bf16)";
  EXPECT_THAT(gate_lines(verdict), HasSubstr(words));
  EXPECT_THAT(gate_markdown(verdict), HasSubstr(words));
  EXPECT_THAT(junit_xml(verdict, "n"),
              AllOf(HasSubstr("<system-out>"), HasSubstr(words), HasSubstr("</system-out>")));
}

TEST(Gate, ComparesACellThatEndedEarlyOnTheCommonSamples) {
  RunInfo info = nightly_info();
  const Results baseline = nightly(200, always, info);
  // The plan allows a cell to end early, so that later samples may be missing.
  for (const std::int64_t length : info.lengths)
    info.planned.push_back({"recall", "s2", length, 200, true});
  const Verdict early = gate(baseline, nightly(100, always, info));
  EXPECT_EQ(early.exit_code(), ExitCode::kOk);
  EXPECT_EQ(early.cells[0].pairs.n(), 100);
  EXPECT_THAT(gate_lines(early),
              HasSubstr("base S2 at 4K (100 of 200), base S2 at 64K (100 of 200)"));
  // But not samples in the middle.
  Results gap = nightly(200, always, info);
  auto& samples = gap.cells[0].samples;
  samples.erase(samples.begin() + 50);
  --gap.cells[0].n;
  --gap.cells[0].hits;
  EXPECT_EQ(gate(baseline, gap).exit_code(), ExitCode::kNotMeasured);
  // A run with a fixed number of samples must have them all.
  info.planned.clear();
  EXPECT_EQ(gate(baseline, nightly(100, always, info)).exit_code(), ExitCode::kNotMeasured);
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
