#include "models/instruments/attention_probe.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "harness/base/error.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "tests/models/softmax_layers.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

std::vector<std::int64_t> some_ids(std::int64_t count) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i * 7 % 90 + 1);
  return ids;
}

std::shared_ptr<CausalLM> tiny(const std::string& folder) {
  return load_model(test_data() / "models" / folder, at::kFloat);
}

/// The model with the keys of its softmax layers set to zero, so that attention is uniform.
std::shared_ptr<CausalLM> without_keys(const std::string& folder) {
  const auto checkpoint = std::make_shared<Checkpoint>(test_data() / "models" / folder);
  WeightMap weights = load_weights(checkpoint, at::kFloat);
  const auto layers = softmax_layers(build_model(checkpoint->config(), folder, weights)->info());
  for (const SoftmaxLayer& layer : layers)
    for (const std::string& name : layer.key) weights[name] = at::zeros_like(weights.at(name));
  return build_model(checkpoint->config(), folder, weights);
}

TEST(WatchAttention, OfUniformAttentionIsWhatArithmeticSays) {
  const auto model = without_keys("hypenet-tiny-sharded");
  constexpr std::int64_t kTokens = 100, kQueries = 8;
  const auto seen = watch_attention(*model, some_ids(kTokens), {20, 30, kQueries, 32});
  const auto layers = softmax_layers(model->info());
  ASSERT_EQ(seen.size(), layers.size() * static_cast<std::size_t>(layers[0].heads));
  EXPECT_EQ(seen[0].layer, layers[0].index);
  // A query at position p sees p + 1 keys, on average p / 2 tokens away.
  const double distance = (99.0 - (kQueries - 1) / 2.0) / 2;
  for (const HeadAttention& head : seen) {
    EXPECT_NEAR(head.distance, distance, 1e-3);
    EXPECT_NEAR(head.needle_mass, 0.1, 1e-6);
  }
}

TEST(WatchAttention, OfAWindowSeesNoFurtherThanTheWindow) {
  const auto model = without_keys("qwen2-window");
  const auto layers = softmax_layers(model->info());
  const auto seen = watch_attention(*model, some_ids(100), {0, 3, 4, 64});
  std::size_t windows = 0, at = 0;
  for (const SoftmaxLayer& layer : layers) {
    for (std::int64_t head = 0; head < layer.heads; ++head, ++at) {
      if (layer.window == 0) continue;
      ++windows;
      EXPECT_NEAR(seen[at].distance, static_cast<double>(layer.window - 1) / 2, 1e-3);
      EXPECT_EQ(seen[at].needle_mass, 0) << "the needle is out of sight";
    }
  }
  EXPECT_GT(windows, 0U);
}

TEST(WatchAttention, SharesAddUpAndChunksDoNotMatter) {
  for (const char* folder : {"hypenet-tiny-sharded", "jet-tiny-bf16", "qwen3-yarn"}) {
    const auto model = tiny(folder);
    const auto ids = some_ids(90);
    const auto first = watch_attention(*model, ids, {0, 40, 5, 7});
    const auto second = watch_attention(*model, ids, {40, 90, 5, 1000});
    ASSERT_EQ(first.size(), second.size());
    ASSERT_FALSE(first.empty());
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_NEAR(first[i].needle_mass + second[i].needle_mass, 1, 1e-4) << folder;
      EXPECT_NEAR(first[i].distance, second[i].distance, 1e-2) << folder;
      EXPECT_GE(first[i].distance, 0);
    }
  }
}

TEST(WatchAttention, RefusesANeedleOutsideOfThePrompt) {
  const auto model = tiny("hypenet-tiny-sharded");
  for (const auto& [begin, end] : {std::pair{-1, 3}, std::pair{3, 3}, std::pair{5, 11}})
    EXPECT_THROW(watch_attention(*model, some_ids(10), {begin, end, 4, 4}), UsageError);
}

}  // namespace
}  // namespace niah::models
