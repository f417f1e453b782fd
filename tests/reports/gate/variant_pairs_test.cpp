#include "reports/gate/variant_pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/gate/gate.h"
#include "reports/gate/history.h"
#include "reports/gate/junit.h"
#include "tests/refusal.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

bool every_sample(std::int64_t, std::int64_t) { return true; }

/// A run with only a served model.
RunInfo served_alone() {
  RunInfo info = nightly_info();
  info.variants = {{"f-served", "hypenet", "served", "", Role::kBase}};
  info.variants[0].server = "vllm 0.32.0 at http://localhost:8000/v1, model m, completions";
  info.machine.clear();
  return info;
}

/// The pairs as strings: each baseline variant and the variant that it is compared with.
std::vector<std::string> names(const VariantPairs& variants) {
  std::vector<std::string> all;
  for (const VariantPair& pair : variants.pairs)
    all.push_back(pair.current == nullptr ? pair.name() + " alone" : pair.name());
  return all;
}

TEST(VariantPairs, AreOfOneModelAndName) {
  RunInfo baseline = synthetic_info();
  RunInfo current = synthetic_info();
  current.variants.resize(2);
  const VariantPairs variants = pair_variants(baseline, current);
  EXPECT_THAT(names(variants), ElementsAre("base", "sft", "qk alone", "qk-pro alone", "v alone"));
  EXPECT_THAT(variants.notes, IsEmpty());
  EXPECT_TRUE(variants.has_local_pair);
  EXPECT_FALSE(variants.has_mixed_pair);
}

TEST(VariantPairs, AServedModelStandsForTheBaseOrForWhatIsSaid) {
  const RunInfo baseline = synthetic_info();
  RunInfo current = served_alone();
  const VariantPairs by_role = pair_variants(baseline, current);
  EXPECT_THAT(names(by_role), ElementsAre("base (served)"));
  EXPECT_TRUE(by_role.has_mixed_pair);
  EXPECT_FALSE(by_role.has_local_pair);
  EXPECT_THAT(by_role.notes,
              ElementsAre(HasSubstr("not compared: sft, qk, qk-pro, v"),
                          AllOf(HasSubstr("base (served): the baseline computed it itself"),
                                HasSubstr("vllm 0.32.0 at http://localhost:8000/v1"))));
  EXPECT_THAT(names(pair_variants(baseline, current, "sft")), ElementsAre("sft (served)"));
  current.variants[0].same_as = "qk";
  EXPECT_THAT(names(pair_variants(baseline, current)), ElementsAre("qk (served)"));
  EXPECT_THAT(names(pair_variants(baseline, current, "sft")), ElementsAre("qk (served)"))
      << "what the run says is not overruled";
  // Model names may differ if each run has only one model.
  current.variants[0].model = "my-server";
  EXPECT_THAT(names(pair_variants(baseline, current)), ElementsAre("qk (served)"));
}

TEST(VariantPairs, WhatIsNotSaidIsNotGuessed) {
  const RunInfo baseline = synthetic_info();
  RunInfo current = served_alone();
  current.variants[0].role = Role::kControl;
  const VariantPairs variants = pair_variants(baseline, current);
  EXPECT_EQ(variants.pairs.size(), 5U);
  EXPECT_THAT(names(variants), testing::Each(testing::EndsWith(" alone")));
  EXPECT_THAT(variants.notes,
              ElementsAre(AllOf(HasSubstr("served was not compared"), HasSubstr("--served-as"))));
  EXPECT_THAT(refusal_of([&] { pair_variants(baseline, current, "sfd"); }),
              AllOf(HasSubstr("no variant 'sfd'"), HasSubstr("base, sft, qk, qk-pro, v")));
  EXPECT_THAT(refusal_of([&] { pair_variants(baseline, baseline, "sft"); }),
              HasSubstr("this run asked no server"));
}

TEST(VariantPairs, ARunThatHasBothIsComparedByName) {
  const RunInfo both = served_info();
  RunInfo local = both;
  local.variants.resize(1);
  EXPECT_THAT(names(pair_variants(local, both)), ElementsAre("base"));
  EXPECT_THAT(pair_variants(local, both).notes, IsEmpty());
  EXPECT_THAT(names(pair_variants(both, both)), ElementsAre("base", "vllm"));
}

TEST(VariantPairs, AnotherServerIsSaid) {
  RunInfo before = served_alone(), now = served_alone();
  EXPECT_THAT(pair_variants(before, now).notes, IsEmpty());
  now.variants[0].server = "vllm 0.33.0 at http://localhost:8000/v1, model m, completions";
  EXPECT_THAT(pair_variants(before, now).notes,
              ElementsAre(AllOf(HasSubstr("the baseline asked vllm 0.32.0"),
                                HasSubstr("this run vllm 0.33.0"))));
}

TEST(ServedGate, FindsWhatAServerLosesAgainstALocalBaseline) {
  RunInfo local = nightly_info();
  local.arithmetic = {{"device", "cpu"}, {"dtype", "fp32"}};
  const Results baseline = nightly(200, every_sample, local);
  const Results same = nightly(200, every_sample, served_alone());
  const Verdict passes = gate(baseline, same);
  EXPECT_EQ(passes.exit_code(), ExitCode::kOk);
  EXPECT_TRUE(passes.is_mixed);
  EXPECT_THAT(gate_lines(passes),
              AllOf(HasSubstr("hypenet base (served) S2 at 4K: 100.0"),
                    HasSubstr("this run asked a server"), Not(HasSubstr("machine"))));
  const Results lost = nightly(
      200, [](std::int64_t length, std::int64_t i) { return length == 4096 || i % 5 != 0; },
      served_alone());
  const Verdict fails = gate(baseline, lost);
  EXPECT_EQ(fails.exit_code(), ExitCode::kCheckFailed);
  EXPECT_THAT(junit_xml(fails, "n"),
              AllOf(HasSubstr("hypenet.base (served)"), HasSubstr("<failure")));
  const GateRun night = make_night(fails, lost);
  EXPECT_EQ(night.cells[1].variant, "base (served)");
  EXPECT_EQ(night.cells[1].fingerprint, "f-served");
  EXPECT_EQ(night.cells[1].hits, 160);
}

TEST(ServedGate, WhatTheServerCutIsNotMeasuredAndSaidAsThat) {
  const RunInfo info = served_alone();
  Collector collector(info);
  for (const std::int64_t length : info.lengths)
    for (std::int64_t i = 0; i < 200; ++i) {
      Record record = synthetic_record("f-served", "s2", length, i);
      if (length == 65536 && i < 100) record = unmeasured(record, i < 99 ? "cut" : "failed");
      if (i == 0) record.detail = "it read 32,768 of 65,408 <tokens>";
      collector.add(record);
    }
  const Verdict verdict = gate(nightly(200, every_sample), std::move(collector).finish());
  EXPECT_EQ(verdict.exit_code(), ExitCode::kNotMeasured);
  EXPECT_EQ(verdict.cells[0].outcome, GateOutcome::kPass);
  EXPECT_EQ(verdict.cells[1].reason,
            "100 samples could not be measured: 99 cut by the server (it read 32,768 of 65,408 "
            "<tokens>), 1 failed at every try (needed 41 GiB, had 30 GiB)");
  EXPECT_EQ(verdict.cells[1].pairs.only_first, 0);
  EXPECT_THAT(junit_xml(verdict, "n"),
              AllOf(HasSubstr("<error message=\"100 samples could not be measured: 99 cut by the "
                              "server (it read 32,768 of 65,408 &lt;tokens&gt;)"),
                    Not(HasSubstr("<tokens>"))));
  EXPECT_THAT(gate_markdown(verdict), Not(HasSubstr("<tokens>")));
}

}  // namespace
}  // namespace niah::reports
