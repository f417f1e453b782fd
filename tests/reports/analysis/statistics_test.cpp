#include "reports/analysis/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "tests/paths.h"

namespace niah::reports {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-9;

/// Values recorded from SciPy and statsmodels by tests/oracle/record_statistics.py.
class Reference : public testing::Test {
 protected:
  static json rows(const char* name) {
    const json all =
        json::parse(read_file(NIAH_TEST_DATA "/reports/statistics.json", "reading the reference"));
    EXPECT_FALSE(all.at(name).empty());
    return all.at(name);
  }
};

TEST_F(Reference, WilsonInterval) {
  for (const json& row : rows("wilson")) {
    const Interval interval = wilson_interval(row[0], row[1], row[2]);
    EXPECT_NEAR(interval.low, row[3].get<double>(), kTolerance) << row;
    EXPECT_NEAR(interval.high, row[4].get<double>(), kTolerance) << row;
  }
}

TEST_F(Reference, ExactMcNemar) {
  for (const json& row : rows("mcnemar")) {
    EXPECT_NEAR(mcnemar_two_sided(row[0], row[1]), row[2].get<double>(), kTolerance) << row;
    EXPECT_NEAR(mcnemar_one_sided(row[0], row[1]), row[3].get<double>(), kTolerance) << row;
  }
}

TEST_F(Reference, Holm) {
  for (const json& row : rows("holm")) {
    const auto adjusted = holm(row[0].get<std::vector<double>>());
    ASSERT_EQ(adjusted.size(), row[1].size());
    for (std::size_t i = 0; i < adjusted.size(); ++i)
      EXPECT_NEAR(adjusted[i], row[1][i].get<double>(), kTolerance) << row;
  }
}

TEST_F(Reference, CochranArmitage) {
  for (const json& row : rows("trend")) {
    std::vector<Dose> doses;
    for (std::size_t i = 0; i < row[0].size(); ++i)
      doses.push_back({row[0][i], row[1][i], row[2][i]});
    const auto trend = cochran_armitage(doses);
    ASSERT_TRUE(trend) << row;
    EXPECT_NEAR(trend->z, row[3].get<double>(), 1e-8 * (1 + std::abs(trend->z))) << row;
    EXPECT_NEAR(trend->p, row[4].get<double>(), kTolerance) << row;
  }
}

TEST_F(Reference, PowerOfMcNemar) {
  for (const json& row : rows("power"))
    EXPECT_NEAR(DropPower(row[0], {.alpha = row[3]}).at(row[1], row[2]), row[4].get<double>(),
                kTolerance)
        << row;
}

TEST_F(Reference, MinimumDetectableDrop) {
  for (const json& row : rows("detectable")) {
    const auto drop = DropPower(row[0], {.alpha = row[1]}).smallest_drop(row[2], row[3]);
    ASSERT_EQ(drop.has_value(), !row[4].is_null()) << row;
    if (!drop) continue;
    EXPECT_NEAR(*drop, row[4].get<double>(), kTolerance) << row;
  }
}

TEST_F(Reference, RecoveredFraction) {
  for (const json& row : rows("recovered")) {
    const auto recovered = recovered_fraction(row[0].get<HitPatterns>());
    ASSERT_TRUE(recovered) << row;
    EXPECT_NEAR(recovered->fraction, row[1][0].get<double>(), kTolerance) << row;
    EXPECT_NEAR(recovered->low.value(), row[1][1].get<double>(), kTolerance) << row;
    EXPECT_NEAR(recovered->high.value(), row[1][2].get<double>(), kTolerance) << row;
  }
}

TEST_F(Reference, MeanChange) {
  for (const json& row : rows("mean_change")) {
    const auto values = row[0].get<std::vector<double>>();
    const auto change = mean_change(values, row[1].get<double>());
    ASSERT_TRUE(change);
    EXPECT_NEAR(change->mean, row[2].get<double>(), kTolerance);
    EXPECT_NEAR(change->interval.low, row[3].get<double>(), kTolerance);
    EXPECT_NEAR(change->interval.high, row[4].get<double>(), kTolerance);
    EXPECT_EQ(change->n, static_cast<std::int64_t>(values.size()));
  }
  EXPECT_FALSE(mean_change({1.0}));
}

TEST(Statistics, NothingDiffersIsNoEvidence) {
  EXPECT_EQ(mcnemar_two_sided(0, 0), 1);
  EXPECT_EQ(mcnemar_one_sided(0, 0), 1);
  EXPECT_TRUE(holm({}).empty());
}

/// Expected values of the gate's rule, worked out by hand: 200 samples, 2 cells, max_drop 0.05.
TEST(Statistics, TheWholeRuleDecidesWhatNShows) {
  const DropRule gate{.alpha = 0.05, .tests = 2, .factor = 2, .max_drop = 0.05};
  const DropPower power(200, gate);
  EXPECT_NEAR(power.at(0.05, 0), 0.42, 0.005) << "11 losses are more than 5 points, 10 are not";
  const double drop = power.smallest_drop(0.8, 0).value();
  EXPECT_NEAR(power.at(drop, 0), 0.8, 1e-9);
  EXPECT_GT(drop, 0.06);
  EXPECT_GT(power.smallest_drop(0.8, 0.05).value(), drop) << "gains hide losses";
  // A two-sided comparison of 40 pairs in one of 21 cells.
  EXPECT_NEAR(
      DropPower(40, {.alpha = 0.05, .tests = 21, .factor = 2}).smallest_drop(0.8, 0).value(), 0.30,
      0.005);
}

TEST(Statistics, ARuleThatNothingMeetsShowsNoDrop) {
  EXPECT_FALSE(DropPower(2, {}).smallest_drop(0.8, 0));
  EXPECT_FALSE(DropPower(0, {}).smallest_drop(0.8, 0));
  EXPECT_FALSE(DropPower(100, {.max_drop = 1}).smallest_drop(0.8, 0));
  EXPECT_FALSE(DropPower(100, {}).smallest_drop(0.8, 0.5)) << "no room for losses";
  DetectableDrops drops({}, 0.8);
  EXPECT_FALSE(drops.at(0, 0));
  EXPECT_EQ(drops.at(100, 2), DropPower(100, {}).smallest_drop(0.8, 0.02));
}

TEST(Statistics, RecoveredFractionNeedsALoss) {
  EXPECT_FALSE(recovered_fraction({}));
  EXPECT_FALSE(recovered_fraction({0, 0, 0, 5, 0, 0, 0, 20}));  // sft above base
}

TEST(Statistics, RecoveredFractionOfOneLossIsUnbounded) {
  const auto recovered = recovered_fraction({0, 0, 0, 0, 0, 1, 0, 9});
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->fraction, 1);
  EXPECT_FALSE(recovered->high);  // many resamples of one loss in ten contain none
}

TEST(Statistics, TrendNeedsVariation) {
  EXPECT_FALSE(cochran_armitage({}));
  EXPECT_FALSE(cochran_armitage({{1, 5, 5}, {2, 5, 5}}));
  EXPECT_FALSE(cochran_armitage({{12, 2, 5}, {12, 3, 5}}));
}

TEST(Statistics, AFewSamplesThatAllCameBackAreNoCertainty) {
  const auto recovered = recovered_fraction({0, 0, 0, 0, 0, 8, 0, 0});
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->fraction, 1);
  EXPECT_NEAR(recovered->low.value(), 0.676, 0.001) << "Wilson's of 8 of 8";
  EXPECT_EQ(recovered->high, 1);
}

TEST(Statistics, EffectiveLengthStopsAtTheFirstFall) {
  const auto of = [](const std::vector<std::pair<std::int64_t, Share>>& recalls) {
    std::vector<OverBar> lengths;
    for (const auto& [length, recall] : recalls) lengths.push_back(over_bar(length, recall));
    return effective_length(lengths);
  };
  // Wilson's intervals: 96 to 100 %, 78 to 92 %, 76 to 90 %, 83 to 94 %.
  EXPECT_EQ(of({{4096, {100, 100}}, {8192, {86, 100}}, {16384, {84, 100}}, {32768, {90, 100}}}),
            (EffectiveLength{8192, 4096, 32768}));
  EXPECT_EQ(of({}), EffectiveLength{});
  EXPECT_EQ(of({{4096, {0, 9}}, {8192, {9, 9}}}), EffectiveLength{});
  EXPECT_EQ(of({{4096, {12, 100}}, {8192, {12, 100}}}), EffectiveLength{})
      << "little that stays is no length";
  EXPECT_EQ(of({{4096, {17, 20}}, {8192, {16, 20}}}).length, 4096) << "the bar is reached";
}

TEST(Statistics, TheBarOfABaseIsUncertainToo) {
  const OverBar fixed = over_bar(4096, {60, 100});
  const OverBar of_base = over_bar(4096, {60, 100}, {60, 100});
  EXPECT_NEAR(of_base.margin, 0.15 * 0.6, 1e-12);
  EXPECT_GT(of_base.interval.high - of_base.interval.low, fixed.interval.high - fixed.interval.low);
  EXPECT_LT(over_bar(4096, {0, 100}, {0, 100}).interval.high, 0) << "nothing is no bar";
}

TEST(Statistics, MedianOfEvenAndOdd) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
}

}  // namespace
}  // namespace niah::reports
