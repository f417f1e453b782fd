#include "reports/analysis/comparisons.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "harness/base/error.h"
#include "reports/analysis/variant_labels.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

/// Results of base, sft and qk in one cell; `hits` returns for sample i whether each of them hit.
Results three_variants(std::int64_t n,
                       const std::function<std::array<bool, 3>(std::int64_t)>& hits) {
  Collector collector(synthetic_info());
  const std::array<const char*, 3> variants = {"f-base", "f-sft", "f-qk"};
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::size_t v = 0; v < variants.size(); ++v) {
      const Record record = synthetic_record(variants[v], "s3", 65536, i);
      collector.add(hits(i)[v] ? record : missed(record));
    }
  }
  return std::move(collector).finish();
}

TEST(PairSamples, CountsOnlySamplesThatBothWereMeasuredOnWithTheSamePrompt) {
  Collector collector(synthetic_info());
  for (std::int64_t i = 0; i < 6; ++i) {
    const Record base = synthetic_record("f-base", "s1", 4096, i);
    Record sft = synthetic_record("f-sft", "s1", 4096, i);
    if (i == 1) sft = missed(sft);
    if (i == 2) sft = unmeasured(sft);
    if (i == 3) sft.prompt_sha256 = std::string(64, '0');
    if (i != 4) collector.add(base);
    collector.add(sft);
  }
  const Results results = std::move(collector).finish();
  const PairCounts pairs = pair_samples(*results.recall_cell("f-base", "s1", 4096),
                                        *results.recall_cell("f-sft", "s1", 4096));
  EXPECT_EQ(pairs, (PairCounts{2, 1, 0, 0}));
}

TEST(Analysis, ComparesWithTheBaseAndRestorationsWithTheFineTuneToo) {
  const Results results = three_variants(50, [](std::int64_t i) {
    return std::array{true, i < 20, i < 45};
  });
  const Analysis analysis = analyse(results);
  ASSERT_EQ(analysis.comparisons.size(), 3U);
  const Cell& qk = *results.recall_cell("f-qk", "s3", 65536);
  ASSERT_NE(analysis.find(qk, "f-sft"), nullptr);
  EXPECT_EQ(analysis.find(qk, "f-sft")->pairs.only_second, 25);
  EXPECT_DOUBLE_EQ(analysis.find(qk, "f-base")->pairs.difference(), -0.1);
  EXPECT_GE(analysis.find(qk, "f-base")->adjusted, analysis.find(qk, "f-base")->p);
  EXPECT_EQ(analysis.find(qk, "f-qk"), nullptr);
  // With one cell per family: the drop that 50 pairs detect, two-sided at 0.05.
  EXPECT_EQ(analysis.find(qk, "f-sft")->detectable,
            DropPower(50, {.factor = 2}).smallest_drop(0.8, 0));
  EXPECT_FALSE(analysis.find(qk, "f-sft")->log_prob) << "these records have no log-probability";
}

TEST(Analysis, PairsTheChangeInTheValuesLogProbability) {
  Collector collector(synthetic_info());
  for (std::int64_t i = 0; i < 4; ++i) {
    Record base = synthetic_record("f-base", "s3", 65536, i);
    Record sft = synthetic_record("f-sft", "s3", 65536, i);
    base.value_log_prob = -1.0 * static_cast<double>(i);
    if (i < 3) sft.value_log_prob = *base.value_log_prob - 0.5 - static_cast<double>(i);
    collector.add(base);
    collector.add(sft);
  }
  const Analysis analysis = analyse(std::move(collector).finish());
  const auto& change = analysis.comparisons.at(0).log_prob;
  ASSERT_TRUE(change);
  EXPECT_EQ(change->n, 3);
  EXPECT_DOUBLE_EQ(change->mean, -1.5);
}

TEST(Analysis, SaysHowMuchOfALossCameBack) {
  const Results results = three_variants(50, [](std::int64_t i) {
    return std::array{i < 48, i < 20, i < 41};
  });
  const Analysis analysis = analyse(results);
  ASSERT_EQ(analysis.recoveries.size(), 1U);
  const Recovery& recovery = analysis.recoveries[0];
  EXPECT_EQ(recovery.verdict, Recovery::Verdict::kRecovered);
  EXPECT_DOUBLE_EQ(recovery.recovered->fraction, 21.0 / 28.0);
  EXPECT_DOUBLE_EQ(recovery.base_recall(), 0.96);
  EXPECT_DOUBLE_EQ(recovery.sft_recall(), 0.40);
  EXPECT_DOUBLE_EQ(recovery.restored_recall(), 0.82);
}

TEST(Analysis, TellsNoLossFromTooFewSamples) {
  const auto verdict = [](std::int64_t n, std::int64_t sft_hits) {
    return analyse(three_variants(n,
                                  [&](std::int64_t i) {
                                    return std::array{true, i < sft_hits, true};
                                  }))
        .recoveries.at(0)
        .verdict;
  };
  EXPECT_EQ(verdict(50, 50), Recovery::Verdict::kNoLoss);
  EXPECT_EQ(verdict(50, 48), Recovery::Verdict::kNoLoss);
  EXPECT_EQ(verdict(5, 5), Recovery::Verdict::kTooFew);
  EXPECT_EQ(verdict(30, 25), Recovery::Verdict::kTooFew);  // 17 points, p = 0.06
  EXPECT_EQ(verdict(50, 40), Recovery::Verdict::kRecovered);
}

TEST(Analysis, RecoveryIsJudgedByTheAdjustmentOfItsCells) {
  // 7 losses of 60 in each of 21 cells: p = 0.016 in one cell, 0.33 after Holm over all.
  const RunInfo info = synthetic_info();
  const auto recoveries = [&](std::size_t tasks, std::size_t lengths) {
    Collector collector(info);
    for (std::size_t t = 0; t < tasks; ++t)
      for (std::size_t l = 0; l < lengths; ++l)
        for (const char* variant : {"f-base", "f-sft", "f-qk"})
          for (std::int64_t i = 0; i < 60; ++i) {
            const Record record = synthetic_record(variant, info.tasks[t], info.lengths[l], i);
            const bool lost = i < 7 && t == 0 && l == 0 && std::string(variant) == "f-sft";
            collector.add(lost ? missed(record) : record);
          }
    return analyse(std::move(collector).finish()).recoveries;
  };
  const Recovery alone = recoveries(1, 1).at(0);
  EXPECT_EQ(alone.verdict, Recovery::Verdict::kRecovered);
  const Recovery one_of_many = recoveries(3, 7).at(0);
  EXPECT_NEAR(one_of_many.p, 2.0 / 128, 1e-12);
  EXPECT_NEAR(one_of_many.adjusted, 21 * 2.0 / 128, 1e-12);
  EXPECT_EQ(one_of_many.verdict, Recovery::Verdict::kTooFew);
  EXPECT_FALSE(one_of_many.recovered);
}

TEST(Analysis, TestsTrendsByLengthAndDepth) {
  const RunInfo info = synthetic_info();
  const Results results = collect(info, synthetic_records(info, 40));
  for (const TaskTrend& trend : analyse(results).trends) {
    if (trend.variant != "f-sft" || trend.task != "s3") continue;
    ASSERT_TRUE(trend.by_length);
    EXPECT_LT(trend.by_length->z, -5);
    EXPECT_LT(trend.by_length->p, 1e-6);
    EXPECT_LT(trend.effective.length.value_or(0), info.lengths.back());
    return;
  }
  FAIL() << "no trend of sft on s3";
}

/// The run after being written to JSON and read again, without the fields that old runs lack if
/// `of_an_old_run`.
RunInfo read_again(const RunInfo& run, bool of_an_old_run) {
  nlohmann::json json = run;
  for (auto& variant : json["variants"])
    if (of_an_old_run)
      for (const char* field : {"role", "label", "restored_from", "fine_tune", "method"})
        variant.erase(field);
  return json.get<RunInfo>();
}

TEST(Variants, RolesAreWhatTheRunSaysWhateverTheNames) {
  RunInfo run = synthetic_info();
  run.variants[1].name = "tuned";
  run.variants[2].name = "sft-qk";
  run.variants[2].fine_tune = "tuned";
  run.variants[2].label = "Repaired";
  const RunInfo again = read_again(run, false);
  EXPECT_EQ(again.variants[2].role, Role::kRestored);
  EXPECT_EQ(again.variants[2].fine_tune, "tuned");
  EXPECT_EQ(again.variants[2].method, "qk");
  EXPECT_EQ(label_of(again, again.variants[2]), "Repaired");
  Results results = three_variants(50, [](std::int64_t i) {
    return std::array{i < 48, i < 20, i < 41};
  });
  results.run = again;
  ASSERT_EQ(analyse(results).recoveries.size(), 1U) << "sft-qk is a restoration like any other";
  EXPECT_EQ(analyse(results).recoveries[0].restored, "f-qk");
}

TEST(Variants, OldRunsAreReadByTheNamesTheyHad) {
  RunInfo run = synthetic_info();
  run.variants.push_back({"f-direct", "hypenet", "direct-sft", ""});
  const RunInfo again = read_again(run, true);
  const std::vector<Role> roles = {Role::kBase,     Role::kTuned,    Role::kRestored,
                                   Role::kRestored, Role::kRestored, Role::kControl};
  for (std::size_t i = 0; i < roles.size(); ++i) EXPECT_EQ(again.variants[i].role, roles[i]) << i;
  EXPECT_EQ(label_of(again, again.variants[1]), "CoT-SFT");
  EXPECT_EQ(again.variants[2].restored_from, "base");
  EXPECT_EQ(again.variants[2].fine_tune, "sft");
  EXPECT_EQ(find_method(again, "hypenet", "qk"), &again.variants[2]);
}

TEST(Variants, AnUnknownRoleIsRefused) {
  nlohmann::json json = synthetic_info();
  json["variants"][0]["role"] = "bass";
  EXPECT_THROW(json.get<RunInfo>(), DataError);
}

TEST(Variants, LabelsAndReferences) {
  RunInfo run = synthetic_info();
  EXPECT_EQ(label_of(run, run.variants[0]), "base");
  EXPECT_EQ(label_of(run, run.variants[2]), "QK-Restore");
  EXPECT_EQ(reference_of(run, run.variants[4]).fingerprint, "f-base");
  run.variants.push_back({"f-other", "jet", "sft", ""});
  EXPECT_EQ(reference_of(run, run.variants.back()).fingerprint, "f-other");
  EXPECT_EQ(label_of(run, run.variants[2]), "hypenet QK-Restore");
}

}  // namespace
}  // namespace niah::reports
