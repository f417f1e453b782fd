#include "models/surgery/weight_parts.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <set>

#include "harness/base/error.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "models/surgery/restore.h"
#include "tests/models/softmax_layers.h"
#include "tests/models/support.h"
#include "tests/models/surgery/restore_checkpoint_fixture.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using testing::HasSubstr;

/// A golden model as it is, and with all weights changed.
struct Pair {
  WeightMap pre, post;
  ModelInfo info;
};

Pair pair_of(const std::string& folder) {
  const auto checkpoint = std::make_shared<Checkpoint>(folder);
  const auto meta = check_tensors(*checkpoint, checkpoint->config());
  Pair pair{load_weights(checkpoint, at::kFloat, *meta), {}, meta->info()};
  resolve_tied_head(pair.info, folder, pair.pre);
  torch::manual_seed(5);
  for (const auto& [name, tensor] : pair.pre) pair.post[name] = tensor + at::rand_like(tensor) + 1;
  return pair;
}

Pair pair_named(const std::string& name) {
  return pair_of((test_data() / "models" / name).string());
}

RestoreOptions parts(std::set<WeightPart> which, bool complement = false) {
  return {.method = RestoreMethod::kParts, .parts = std::move(which), .complement = complement};
}

WeightMap restored(const Pair& pair, const RestoreOptions& options) {
  return restore(pair.pre, pair.post, pair.info, options);
}

std::set<std::string> changed(const WeightMap& a, const WeightMap& b) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : a)
    if (!at::equal(tensor, b.at(name))) names.insert(name);
  return names;
}

/// The parts that the model has.
std::set<WeightPart> parts_of(const ModelInfo& info) {
  std::set<WeightPart> there;
  for (const std::string& name : weight_part_names()) {
    const WeightPart part = parse_weight_part(name);
    if (refusal_of<UsageError>([&] { rows_of_parts(info, parts({part})); }) == "accepted")
      there.insert(part);
  }
  return there;
}

TEST(WeightParts, QueryAndKeyAreWhatQkRestores) {
  for (const std::string& folder : golden_models("")) {
    const Pair pair = pair_of(folder);
    if (pair.info.mixers.empty()) continue;
    const std::string qk = refusal_of<UsageError>([&] { restored(pair, {}); });
    if (qk != "accepted") continue;  // a model of sliding windows alone
    EXPECT_EQ(
        changed(restored(pair, parts({WeightPart::kQuery, WeightPart::kKey})), restored(pair, {})),
        std::set<std::string>())
        << folder;
  }
}

TEST(WeightParts, PartsAndTheirComplementAreTheCheckpointBefore) {
  for (const std::string& folder : golden_models("")) {
    const Pair pair = pair_of(folder);
    for (const WeightPart part : parts_of(pair.info)) {
      const WeightMap some = restored(pair, parts({part}));
      EXPECT_NE(changed(some, pair.post), std::set<std::string>());
      const WeightMap all = restore(pair.pre, some, pair.info, parts({part}, true));
      EXPECT_EQ(changed(all, pair.pre), std::set<std::string>())
          << folder << " " << weight_part_name(part);
    }
  }
}

TEST(WeightParts, AllTogetherAreTheCheckpointBefore) {
  for (const char* name : {"hypenet-tiny-sharded", "jet-tiny-bf16", "qwen35-tiny", "nemotron-tiny",
                           "falconh1-tiny", "granite4-tiny", "lfm2moe-tiny", "qwen3-tiny"}) {
    const Pair pair = pair_named(name);
    RestoreOptions all = parts(parts_of(pair.info));
    all.windows = true;
    EXPECT_EQ(changed(restored(pair, all), pair.pre), std::set<std::string>()) << name;
    all.complement = true;
    EXPECT_THAT(refusal_of<UsageError>([&] { restored(pair, all); }),
                HasSubstr("leaves nothing of this model"));
  }
}

TEST(WeightParts, EachIsWhatItIsCalled) {
  const Pair pair = pair_named("hypenet-flags");
  const std::string softmax = "model.layers.1.self_attn.";
  EXPECT_EQ(changed(restored(pair, parts({WeightPart::kValue})), pair.post),
            (std::set<std::string>{softmax + "v_proj.weight", softmax + "v_proj.bias"}));
  for (const std::string& name : changed(restored(pair, parts({WeightPart::kLinear})), pair.post))
    EXPECT_TRUE(name.find("layers.0.self_attn") != name.npos ||
                name.find("layers.2.self_attn") != name.npos)
        << name;
  for (const std::string& name : changed(restored(pair, parts({WeightPart::kMlp})), pair.post))
    EXPECT_THAT(name, HasSubstr(".mlp."));
  EXPECT_EQ(changed(restored(pair, parts({WeightPart::kEmbedding})), pair.post),
            std::set<std::string>{"model.embed_tokens.weight"});
}

TEST(WeightParts, OfAProjectionThatHoldsMoreOnlyTheirRowsGoBack) {
  const Pair pair = pair_named("qwen35-tiny");
  const WeightMap query = restored(pair, parts({WeightPart::kQuery}));
  const WeightMap both = restored(pair, parts({WeightPart::kQuery, WeightPart::kGate}));
  std::size_t seen = 0;
  for (const std::string& name : changed(query, pair.post)) {
    EXPECT_THAT(name, HasSubstr("self_attn.q_proj"));
    EXPECT_FALSE(at::equal(query.at(name), pair.pre.at(name))) << name;
    EXPECT_TRUE(at::equal(both.at(name), pair.pre.at(name))) << name;
    ++seen;
  }
  EXPECT_GT(seen, 0U);
}

TEST(WeightParts, LayersLimitWhatIsInLayers) {
  const Pair pair = pair_named("hypenet-flags");
  RestoreOptions options = parts({WeightPart::kMlp, WeightPart::kEmbedding});
  options.layers = {{2}};
  for (const std::string& name : changed(restored(pair, options), pair.post))
    EXPECT_TRUE(name == "model.embed_tokens.weight" || name.starts_with("model.layers.2.mlp."))
        << name;
  options = parts({WeightPart::kNorms});
  options.layers = {{0}};
  for (const std::string& name : changed(restored(pair, options), pair.post))
    EXPECT_TRUE(name.starts_with("model.layers.0.")) << name;
  options.layers = {{3}};
  EXPECT_THAT(refusal_of<UsageError>([&] { restored(pair, options); }),
              HasSubstr("layer 3 cannot be restored; the model has layers 0 to 2"));
}

TEST(WeightParts, AlphaIsTheWayThere) {
  const Pair pair = pair_named("hypenet-flags");
  RestoreOptions options = parts({WeightPart::kMlp});
  options.alpha = 0.25;
  const WeightMap some = restored(pair, options);
  for (const std::string& name : changed(some, pair.post))
    EXPECT_TRUE(at::allclose(some.at(name), 0.75 * pair.post.at(name) + 0.25 * pair.pre.at(name)));
}

TEST(WeightParts, WhatTheModelLacksIsRefusedWithWhatItHas) {
  const Pair pair = pair_named("hypenet-flags");
  EXPECT_THAT(refusal_of<UsageError>([&] { restored(pair, parts({WeightPart::kExperts})); }),
              HasSubstr("restoring: the model has no part 'experts'; there are: q, k, v, o"));
  EXPECT_THAT(refusal_of<UsageError>([&] { restored(pair, parts({})); }),
              HasSubstr("needs at least one part"));
  RestoreOptions options = parts({WeightPart::kQuery});
  options.layers = {{0}};
  EXPECT_THAT(refusal_of<UsageError>([&] { restored(pair, options); }),
              HasSubstr("the chosen layers have no part 'q'; there are: "));
}

TEST(WeightParts, TheFirstLayerThatChanges) {
  const ModelInfo info = pair_named("hypenet-flags").info;  // LAL
  EXPECT_EQ(first_changed_layer(info, parts({WeightPart::kQuery})), 1);
  EXPECT_EQ(first_changed_layer(info, parts({WeightPart::kMlp})), 0);
  EXPECT_EQ(first_changed_layer(info, parts({WeightPart::kEmbedding})), 0);
  RestoreOptions options = parts({WeightPart::kMlp});
  options.layers = {{2}};
  EXPECT_EQ(first_changed_layer(info, options), 2);
}

TEST_F(RestoreCheckpoint, QueryAndKeyAsPartsAreQkToTheByte) {
  restore_checkpoint(pre_, post_, temporary_.path() / "qk", {});
  RestoreCheckpointOptions options;
  options.restore.method = RestoreMethod::kParts;
  options.restore.parts = {WeightPart::kQuery, WeightPart::kKey};
  const RestoreSummary summary = restore_checkpoint(pre_, post_, out_, options);
  EXPECT_EQ(bytes(out_ / "model.safetensors"), bytes(temporary_.path() / "qk/model.safetensors"));
  EXPECT_EQ(summary.layers.size(), softmax_layers(load_model(post_, at::kFloat)->info()).size());
  EXPECT_THAT(bytes(out_ / "restore.json"), HasSubstr("\"parts\": [\n    \"q\",\n    \"k\"\n  ]"));
}

TEST_F(RestoreCheckpoint, PartsAndTheirComplementAreTheCheckpointBefore) {
  RestoreCheckpointOptions options;
  options.restore.method = RestoreMethod::kParts;
  options.restore.parts = {WeightPart::kLinear, WeightPart::kEmbedding};
  const fs::path some = temporary_.path() / "some";
  restore_checkpoint(pre_, post_, some, options);
  options.restore.complement = true;
  restore_checkpoint(pre_, some, out_, options);
  const WeightMap before = read(pre_), after = read(out_);
  for (const auto& [name, tensor] : after) EXPECT_TRUE(at::equal(tensor, before.at(name))) << name;
}

}  // namespace
}  // namespace niah::models
