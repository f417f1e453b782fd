// Every architecture compared with outputs recorded from its reference implementation.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "models/instruments/verify.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

class GoldenModel : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder() const { return GetParam(); }
  Golden golden() const { return read_golden(folder() / "golden.safetensors"); }
};

TEST_P(GoldenModel, Fp32LogitsMatchInAnyChunkingAndInDecode) {
  const auto model = load_model(folder(), at::kFloat);
  for (const std::int64_t chunk : {0, 1, 7, 64, 1000}) {
    const VerifyResult result = verify(*model, golden(), chunk);
    EXPECT_LT(result.prefill_max_abs_diff, 1e-4) << "chunk " << chunk;
    EXPECT_LT(result.decode_max_abs_diff, 1e-4) << "chunk " << chunk;
    EXPECT_EQ(result.argmax_agreement, 1) << "chunk " << chunk;
    EXPECT_EQ(result.greedy_equal, result.greedy_compared) << "chunk " << chunk;
    EXPECT_GT(result.greedy_compared, 10);
  }
}

TEST_P(GoldenModel, TrainingPassMatches) {
  const auto model = load_model(folder(), at::kFloat);
  const Golden reference = golden();
  const at::Tensor logits = model->forward_train(reference.input_ids);
  EXPECT_LT((logits - reference.logits).abs().max().item<double>(), 1e-4);
}

TEST_P(GoldenModel, Bf16AgreesWhereTheMarginIsClear) {
  const auto model = load_model(folder(), at::kBFloat16);
  const VerifyResult result = verify(*model, golden(), 64);
  EXPECT_EQ(result.clear_argmax_agreement, 1);
  EXPECT_LT(result.mean_abs_diff, 0.06);
}

std::vector<std::string> all_goldens() {
  std::vector<std::string> all;
  for (const char* family : {"hypenet", "jet", "qwen", "llama", "mistral", "smollm3", "granite",
                             "olmo", "lfm2", "falconh1", "nemotron", "bamba", "minimax", "kimi"})
    for (std::string& folder : golden_models(family)) all.push_back(std::move(folder));
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModel, testing::ValuesIn(all_goldens()), [](const auto& info) {
  std::string name = fs::path(info.param).filename().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name + "_" + std::to_string(info.index);
});

TEST(OlderConfigs, ComputeTheSame) {
  int found = 0;
  for (const fs::path folder : all_goldens()) {
    if (!fs::exists(folder / "config.old_style.json")) continue;
    ++found;
    const WeightMap weights = load_weights(std::make_shared<Checkpoint>(folder), at::kFloat);
    const auto model =
        build_model(parse_config_file(folder / "config.old_style.json", "testing"), "old", weights);
    const VerifyResult result = verify(*model, read_golden(folder / "golden.safetensors"), 0);
    EXPECT_LT(result.prefill_max_abs_diff, 1e-4) << folder;
    require_same_model("new", load_model(folder, at::kFloat)->info(), "old", model->info());
  }
  EXPECT_GE(found, 1);
}

TEST(Qwen3, ReadsTheRotaryScalingOfOlderConfigs) {
  const fs::path folder = test_data() / "models/qwen3-yarn";
  const auto checkpoint = std::make_shared<Checkpoint>(folder);
  const WeightMap weights = load_weights(checkpoint, at::kFloat);
  const auto model =
      build_model(parse_json_file(folder / "config.old_style.json", "testing"), "old", weights);
  const VerifyResult result = verify(*model, read_golden(folder / "golden.safetensors"), 0);
  EXPECT_LT(result.prefill_max_abs_diff, 1e-4);

  nlohmann::json plain = checkpoint->config();
  plain["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 1e6}};
  const auto unscaled = build_model(plain, "plain", weights);
  EXPECT_GT(verify(*unscaled, read_golden(folder / "golden.safetensors"), 0).prefill_max_abs_diff,
            0.05);
}

/// Models that together have every kind of layer.
class TinyModel : public testing::TestWithParam<const char*> {
 protected:
  std::shared_ptr<CausalLM> load() const {
    return load_model(test_data() / "models" / GetParam(), at::kFloat);
  }
  static at::Tensor ids(std::int64_t count, std::int64_t vocab) {
    torch::manual_seed(count);
    return torch::randint(vocab, {1, count}, at::kLong);
  }
};

TEST_P(TinyModel, PrefillIsPrefillOfAllButOnePlusDecode) {
  const auto model = load();
  const at::Tensor text = ids(130, model->info().vocab_size);
  State whole(model->num_layers());
  const at::Tensor all = model->forward(text, whole, Logits::kAll);
  for (std::int64_t length = 2; length <= 130; ++length) {
    State state(model->num_layers());
    model->forward(text.narrow(1, 0, length - 1), state, Logits::kNone);
    const at::Tensor last = model->forward(text.narrow(1, length - 1, 1), state, Logits::kLast);
    ASSERT_LT((last - all.narrow(1, length - 1, 1)).abs().max().item<float>(), 1e-4) << length;
  }
}

TEST_P(TinyModel, RewindRestoresTheExactState) {
  const auto model = load();
  const at::Tensor text = ids(170, model->info().vocab_size);
  const auto piece = [&](std::int64_t from, std::int64_t to) {
    return text.narrow(1, from, to - from);
  };
  State state(model->num_layers());
  model->forward(piece(0, 70), state, Logits::kNone);
  const Mark mark = state.mark();
  const at::Tensor first = model->forward(piece(70, 150), state, Logits::kAll);
  const std::int64_t bytes = state.bytes();
  state.rewind(mark);
  EXPECT_EQ(state.position(), 70);
  for (std::int64_t i = 100; i < 140; ++i)  // read another branch in between, token by token
    model->forward(piece(i, i + 1), state, Logits::kNone);
  state.rewind(mark);
  EXPECT_TRUE(at::equal(model->forward(piece(70, 150), state, Logits::kAll), first));
  EXPECT_EQ(state.bytes(), bytes);
  // KV caches are rewound by truncation, so a mark copies only recurrent states and the like.
  const bool forgets = layer_pattern(model->info()).find_first_not_of('A') != std::string::npos;
  EXPECT_EQ(mark.bytes() > 0, forgets);
  EXPECT_LT(mark.bytes(), bytes);
}

TEST_P(TinyModel, ShortChunksBehindOthersKeepTheConvolutionsTail) {
  const auto model = load();
  const at::Tensor text = ids(40, model->info().vocab_size);
  State whole(model->num_layers()), cut(model->num_layers());
  const at::Tensor expected = model->forward(text, whole, Logits::kAll);
  std::vector<at::Tensor> parts;
  std::int64_t at = 0;
  for (const std::int64_t size : {5, 2, 3, 1, 2, 1, 1, 3, 2, 20})
    parts.push_back(
        model->forward(text.narrow(1, std::exchange(at, at + size), size), cut, Logits::kAll));
  EXPECT_LT((at::cat(parts, 1) - expected).abs().max().item<float>(), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(All, TinyModel,
                         testing::Values("hypenet-tiny-sharded", "jet-tiny-bf16", "qwen2-window",
                                         "qwen3-yarn", "olmo3-tiny", "smollm3-tiny", "qwen35-tiny",
                                         "qwen3next-tiny", "olmohybrid-tiny", "lfm2moe-tiny",
                                         "kimi-tiny"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace niah::models
