// A sweep's variants and their descriptions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "harness/config/variant_words.h"
#include "tests/harness/config/demo_sweep.h"

namespace niah {
namespace {

using testing::HasSubstr;

const VariantConfig& variant(const SweepConfig& sweep, const std::string& name) {
  for (const VariantConfig& one : sweep.models.front().variants)
    if (one.name == name) return one;
  throw std::out_of_range(name);
}

TEST(Sweep, WhatAVariantIsComesFromItsKindNotFromItsName) {
  const SweepConfig sweep = parse(replaced(
      kSweep, "[base, sft, qk, {method: qk-pro, lambda: 0.5}, {name: other, checkpoint: c}]",
      "[{of: sft, name: base}, {of: base, name: sft}, {method: qk, name: sft-qk},\n"
      "      {name: my-sft, checkpoint: c}]"));
  EXPECT_EQ(variant(sweep, "base").role, reports::Role::kTuned);
  EXPECT_EQ(variant(sweep, "sft").role, reports::Role::kBase);
  EXPECT_EQ(variant(sweep, "sft-qk").role, reports::Role::kRestored);
  EXPECT_EQ(variant(sweep, "sft-qk").restored_from, "sft");
  EXPECT_EQ(variant(sweep, "sft-qk").fine_tune, "base");
  EXPECT_EQ(variant(sweep, "my-sft").role, reports::Role::kControl);
}

TEST(Sweep, DescriptionsClaimNothingThatTheConfigDoesNotSay) {
  const SweepConfig plain = parse(kSweep);
  for (const VariantConfig& one : plain.models.front().variants)
    EXPECT_THAT(one.description + one.label, testing::Not(HasSubstr("CoT"))) << one.name;
  EXPECT_EQ(variant(plain, "sft").label, "Fine-tuned");
  EXPECT_EQ(variant(plain, "sft").description, "Fine-tuned: the checkpoint after the fine-tune");
  EXPECT_EQ(variant(plain, "qk").description,
            "QK-Restore: the fine-tune with W_Q and W_K of the softmax layers from base");
  const SweepConfig said =
      parse(replaced(kSweep, "sft, qk,",
                     "{of: sft, description: 'CoT-SFT: on chains of thought'}, {method: qk, "
                     "alpha: 0.5, label: Half},"));
  EXPECT_EQ(variant(said, "sft").label, "CoT-SFT");
  EXPECT_EQ(variant(said, "qk").label, "Half");
  EXPECT_EQ(variant(said, "qk").description,
            "Half: CoT-SFT with W_Q and W_K of the softmax layers from base, alpha 0.5");
  ModelConfig model = said.models.front();
  describe_plainly(model);
  EXPECT_EQ(model.variants[1].label, "Fine-tuned");
}

TEST(Sweep, VariantsOfOnePairAreCalledAlikeElsewhere) {
  const SweepConfig said = parse(replaced(
      kSweep, "sft, qk,", "{of: sft, name: mine, label: CoT-SFT}, {method: qk, label: Repaired},"));
  const SweepConfig plain = parse(replaced(kSweep, "lambda: 0.5", "lambda: 0.25"));
  SweepConfig other = plain;
  call_as(other.models.front(), said.models);
  EXPECT_EQ(variant(other, "sft").label, "CoT-SFT");
  EXPECT_EQ(variant(other, "qk").label, "Repaired");
  EXPECT_EQ(variant(other, "qk-pro").description, variant(plain, "qk-pro").description)
      << "another lambda is another variant";
  SweepConfig of_another = parse(replaced(kSweep, "/abs/sft", "/abs/other"));
  call_as(of_another.models.front(), said.models);
  EXPECT_EQ(variant(of_another, "sft").label, "Fine-tuned");
}

TEST(Sweep, ACheckpointSaysItsPart) {
  const auto with = [](const std::string& text) {
    return replaced(kSweep, "checkpoint: c}", "checkpoint: c, " + text + "}");
  };
  const SweepConfig restored = parse(with("role: restored"));
  EXPECT_EQ(variant(restored, "other").restored_from, "base");
  EXPECT_EQ(variant(restored, "other").fine_tune, "sft");
  EXPECT_EQ(variant(parse(with("role: restored, fine_tune: qk")), "other").fine_tune, "qk");
  EXPECT_EQ(variant(parse(with("role: tuned")), "other").role, reports::Role::kTuned);
  EXPECT_THAT(refusal(with("role: tunde")), HasSubstr("did you mean 'tuned'"));
  EXPECT_THAT(refusal(with("role: base")), HasSubstr("'base' and 'other' both have the role base"));
  EXPECT_THAT(refusal(with("fine_tune: sft")), HasSubstr("belongs to `role: restored`"));
  EXPECT_THAT(refusal(with("role: restored, fine_tune: sfd")), HasSubstr("did you mean 'sft'"));
  EXPECT_THAT(refusal(replaced(kSweep, "lambda: 0.5", "role: control")),
              HasSubstr("it belongs to a `checkpoint`"));
  EXPECT_THAT(refusal(replaced(kSweep, "method: qk-pro", "method: q")), HasSubstr("qk-pro"));
}

TEST(Sweep, AnyPartsAreRestored) {
  const auto with = [](const std::string& restored) {
    return replaced(kSweep, "{method: qk-pro, lambda: 0.5}", restored);
  };
  const SweepConfig sweep = parse(with("{method: parts, parts: [mlp, k], complement: true}"));
  const VariantConfig& all_but = variant(sweep, "all-but-k-mlp");
  EXPECT_EQ(all_but.restore.parts, (std::set{models::WeightPart::kKey, models::WeightPart::kMlp}));
  EXPECT_TRUE(all_but.restore.complement);
  EXPECT_EQ(all_but.description,
            "All but K and MLPs: the fine-tune with all but k, mlp from base (ablation)");
  EXPECT_EQ(restore_text(all_but.restore), "all but k, mlp");
  const auto plan = nlohmann::json::parse(sweep_to_json(sweep))["models"][0]["variants"][3];
  EXPECT_EQ(plan["parts"], (nlohmann::json{"k", "mlp"}));
  EXPECT_EQ(plan["complement"], true);
  EXPECT_EQ(variant(parse(with("{method: parts, parts: v}")), "parts-v").label, "V only");
  EXPECT_EQ(variant(parse(with("{method: parts, parts: v, layers: 0, name: v0}")), "v0").label,
            "V of layer 0");

  EXPECT_THAT(refusal(with("{method: parts, parts: [vv]}")), HasSubstr("did you mean 'v'"));
  EXPECT_THAT(refusal(with("{method: parts}")), HasSubstr("parts"));
  EXPECT_THAT(refusal(with("{method: parts, parts: []}")), HasSubstr("parts"));
  EXPECT_THAT(refusal(with("parts")), HasSubstr("'parts' is not a variant"));
  EXPECT_THAT(refusal(with("{method: q, parts: [q]}")), HasSubstr("belongs to `method: parts`"));
  EXPECT_THAT(refusal(with("{method: q, complement: true}")),
              HasSubstr("belongs to `method: parts`"));
}

TEST(Sweep, VariantsThatAreTheSameAreRefused) {
  EXPECT_THAT(refusal(replaced(kSweep, "{name: other, checkpoint: c}", "{name: b, method: qk}")),
              testing::AllOf(HasSubstr("'pair qk' and 'pair b' are the same, qk of /abs/sft")));
  EXPECT_THAT(refusal(replaced(kSweep, "checkpoint: c", "checkpoint: x/../checkpoints/base")),
              HasSubstr("'pair base' and 'pair other' are the same"));
  const std::string second = kSweep + "  - {name: two, base: checkpoints/base}\n";
  EXPECT_THAT(refusal(second), HasSubstr("'pair base' and 'two base' are the same, checkpoint "
                                         "/configs/checkpoints/base"));
  EXPECT_EQ(refusal(replaced(second, "checkpoints/base}", "checkpoints/base, override: {a: 1}}")),
            "accepted");
}

TEST(Sweep, VariantsHaveADefault) {
  const SweepConfig pair =
      parse("name: x\ntasks: s1\nlengths: 4K\nsamples: 1\nmodels: [{name: m, base: b, sft: s}]");
  EXPECT_EQ(pair.models[0].variants.size(), 4U);
  const SweepConfig alone =
      parse("name: x\ntasks: s1\nlengths: 4K\nsamples: 1\nmodels: [{name: m, base: b}]");
  EXPECT_EQ(alone.models[0].variants.size(), 1U);
}

}  // namespace
}  // namespace niah
