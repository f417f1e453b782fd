// PEFT adapters on a checkpoint: their effect on its tensors, and what is refused.
#include "models/checkpoint/adapter.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <map>
#include <tuple>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/instruments/verify.h"
#include "models/load_model.h"
#include "models/surgery/restore_adapter.h"
#include "models/surgery/restore_checkpoint.h"
#include "tests/machine.h"
#include "tests/models/support.h"
#include "tests/models/tiny_adapter.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class AdapterOnLlama : public testing::Test, protected TinyAdapter {
 protected:
  AdapterOnLlama() : TinyAdapter(tiny_llama()) {}

  at::Tensor effective(const std::string& name) const {
    return read_tensor(std::make_shared<Checkpoint>(path()), name);
  }
  /// base + scale B A in fp64.
  at::Tensor expected(const std::string& module, double scale) const {
    const at::Tensor b = tensors_.at(module + ".lora_B.weight").to(at::kDouble);
    const at::Tensor a = tensors_.at(module + ".lora_A.weight").to(at::kDouble);
    const std::string name = module.substr(std::string("base_model.model.").size()) + ".weight";
    return base_.at(name).to(at::kDouble) + scale * at::matmul(b, a);
  }
  void expect_scale(double scale) {
    write();
    const std::string module = kQuery;
    EXPECT_LT((effective("model.layers.0.self_attn.q_proj.weight") - expected(module, scale))
                  .abs()
                  .max()
                  .item<double>(),
              1e-5)
        << config_;
  }
  std::string error() {
    write();
    return refusal_of([&] { load_model(path(), at::kFloat); });
  }
  std::string error_with(const std::string& field, const json& value) {
    const json before = config_;
    config_[field] = value;
    const std::string text = error();
    config_ = before;
    return text;
  }

  static constexpr const char* kQuery = "base_model.model.model.layers.0.self_attn.q_proj";
};

TEST_F(AdapterOnLlama, AddsTheScaledProduct) {
  add_factors(kQuery, 64, 64);
  expect_scale(2);  // alpha 8, r 4
  config_["use_rslora"] = true;
  expect_scale(8 / std::sqrt(4.0));
  config_["use_rslora"] = false;
  config_["alpha_pattern"] = {{"k_proj", 100}, {"q_proj", 3}};
  expect_scale(3.0 / 4);
  config_["alpha_pattern"] = {{"proj", 100}, {".*\\.0\\.self_attn.(q|k)_proj", 6}};
  expect_scale(6.0 / 4);
  config_["alpha_pattern"] = {{"^q_proj", 100}, {"^model.layers.0.self_attn.q_proj$", 20}};
  expect_scale(20.0 / 4);
}

TEST_F(AdapterOnLlama, TheFirstPatternOfTheFileCounts) {
  add_factors(kQuery, 64, 64);
  write();
  const auto scale_with = [&](const std::string& patterns) {
    std::string text = config_.dump();
    text.insert(text.size() - 1, R"(,"alpha_pattern":)" + patterns);
    write_file(adapter_ / "adapter_config.json", text);
    return Checkpoint(path()).adapter()->changes().begin()->second.scale;
  };
  EXPECT_EQ(scale_with(R"({"q_proj": 4, "layers.0.self_attn.q_proj": 8})"), 1);
  EXPECT_EQ(scale_with(R"({"layers.0.self_attn.q_proj": 8, "q_proj": 4})"), 2);
  EXPECT_EQ(scale_with(R"({"z_proj": 4, ".*": 12})"), 3);
}

TEST_F(AdapterOnLlama, RanksAreAModulesOwn) {
  add_factors(kQuery, 64, 64, /*rank=*/6);
  EXPECT_THAT(error(), AllOf(HasSubstr("q_proj.lora_A.weight"), HasSubstr("[6, 64]"),
                             HasSubstr("r: 4"), HasSubstr("adapter_config.json")));
  config_["rank_pattern"] = {{"layers\\.0\\.self_attn\\.q_proj", 6}};
  expect_scale(8.0 / 6);
}

TEST_F(AdapterOnLlama, EverythingElseIsTheFoldersOwn) {
  add_factors(kQuery, 64, 64);
  write();
  const auto checkpoint = std::make_shared<Checkpoint>(path());
  const WeightMap weights = load_weights(checkpoint, at::kFloat);
  ASSERT_EQ(weights.size(), base_.size());
  for (const auto& [name, tensor] : weights)
    EXPECT_EQ(at::equal(tensor, base_.at(name)), !checkpoint->is_adapted(name)) << name;
  EXPECT_EQ(checkpoint->config(), Checkpoint(folder_).config());
  EXPECT_NE(checkpoint->weights_sha256(), Checkpoint(folder_).weights_sha256());
}

TEST_F(AdapterOnLlama, IsRoundedOnceToTheTypeOfItsBase) {
  for (auto& [name, tensor] : base_) tensor = tensor.to(at::kBFloat16);
  write_base();
  add_factors(kQuery, 64, 64);
  write();
  const at::Tensor found = effective("model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(found.scalar_type(), at::kBFloat16);
  const at::Tensor exact = expected(kQuery, 2).to(at::kFloat).to(at::kBFloat16);
  // Near the midpoint of two bf16 numbers fp32 and fp64 may round differently, but rarely.
  EXPECT_GT(at::eq(found, exact).to(at::kFloat).mean().item<double>(), 0.99);
}

TEST_F(AdapterOnLlama, ReplacesTensorsAndBiases) {
  add("base_model.model.model.norm.weight", at::full({64}, 3.0));
  write();
  EXPECT_TRUE(at::equal(effective("model.norm.weight"), at::full({64}, 3.0F)));
  add("base_model.model.model.layers.0.self_attn.q_proj.base_layer.bias", at::zeros({64}));
  EXPECT_THAT(error(), HasSubstr("has no 'layers.0.self_attn.q_proj.bias'"));
}

TEST_F(AdapterOnLlama, ASavedHeadIsNoLongerTheEmbedding) {
  config_base_["tie_word_embeddings"] = true;
  base_.erase("lm_head.weight");
  write_base();
  const at::Tensor head = at::randn({97, 64});
  add("base_model.model.lm_head.weight", head);
  write();
  const Checkpoint checkpoint(path());
  EXPECT_EQ(checkpoint.config()["tie_word_embeddings"], false);
  const auto model = load_model(path(), at::kFloat);
  EXPECT_TRUE(at::equal(*model->named_parameters().find("lm_head.weight"), head));
  EXPECT_TRUE(at::equal(*model->named_parameters().find("model.embed_tokens.weight"),
                        base_.at("model.embed_tokens.weight")));
  require_same_model("base", load_model(folder_, at::kFloat)->info(), "tuned", model->info());
}

TEST_F(AdapterOnLlama, AnEmbeddingThatIsTheHeadTooIsRefusedWhereItsHeadIsNotSaid) {
  config_base_["tie_word_embeddings"] = true;
  base_.erase("lm_head.weight");
  write_base();
  add("base_model.model.model.embed_tokens.weight", at::randn({97, 64}));
  EXPECT_THAT(error(), HasSubstr("serves as the output head, too"));
  EXPECT_EQ(error_with("ensure_weight_tying", true), "accepted");
  add("base_model.model.lm_head.weight", at::randn({97, 64}));
  EXPECT_EQ(error(), "accepted");
  tensors_.clear();
  add_factors("base_model.model.lm_head", 97, 64);
  EXPECT_THAT(error(), HasSubstr("no output head of its own"));
}

TEST_F(AdapterOnLlama, KindsThatDoSomethingElseAreRefusedByName) {
  add_factors(kQuery, 64, 64);
  for (const auto& [field, value, expected] :
       std::vector<std::tuple<const char*, json, const char*>>{
           {"peft_type", "LOHA", "'LOHA' is not supported"},
           {"peft_type", nullptr, "only LORA is"},
           {"fan_in_fan_out", true, "fan_in_fan_out"},
           {"layer_replication", {{0, 4}}, "layer_replication"},
           {"target_parameters", {"mlp.experts.gate_up_proj"}, "target_parameters"},
           {"trainable_token_indices", {1, 2}, "trainable_token_indices"},
           {"lora_bias", true, "lora_bias"},
           {"use_qalora", true, "use_qalora"},
           {"use_bdlora", {{"nblocks", 2}}, "use_bdlora"},
           {"use_of_tomorrow", true, "use_of_tomorrow"},
           {"alora_invocation_tokens", {1, 2}, "alora_invocation_tokens"},
           {"init_lora_weights", "pissa_niter_4", "path_initial_model_for_weight_conversion"},
           {"init_lora_weights", "OLoRA", "'olora' is not among"},
           {"init_lora_weights", "of_tomorrow", "'of_tomorrow' is not among"},
           {"init_lora_weights", {"pissa"}, "is not among"},
           {"peft_type", "LO\x1b[31mRA\n", "'LO\\x1b[31mRA\\n'"},
           {"a_field_of_tomorrow", 3, "not known here"},
           {"use_dora", true, "lora_magnitude_vector"},
           {"r", 0, "r: an integer from 1"},
           {"r", "4", "an integer was expected"},
           {"lora_alpha", "8", "a number was expected"},
           {"rank_pattern", {1}, "an object"},
           {"rank_pattern", {{"q_proj", 0}}, "'q_proj': a number from 1"},
           {"alpha_pattern", {{"(q_proj", 1}}, "no pattern of module names"},
           {"alpha_pattern", {{"q_proj", nullptr}}, "a number"},
       })
    EXPECT_THAT(error_with(field, value),
                AllOf(HasSubstr("adapter_config.json"), HasSubstr(expected)))
        << field;
  for (const auto& [field, value] : std::map<std::string, json>{{"a_field_of_tomorrow", nullptr},
                                                                {"use_of_tomorrow", false},
                                                                {"init_lora_weights", "gaussian"},
                                                                {"target_modules", "all-linear"},
                                                                {"layers_to_transform", {0}},
                                                                {"loftq_config", json::object()}})
    EXPECT_EQ(error_with(field, value), "accepted") << field;
}

TEST_F(AdapterOnLlama, PatternsThatNeverEndAreRefused) {
  add_factors(kQuery, 64, 64);
  for (const char* field : {"alpha_pattern", "rank_pattern"})
    for (const char* bomb : {"((((a|l|y|e|r|s|m|o|d|.)*)*)*)*!", ".*.*.*.*.*.*.*!"})
      EXPECT_THAT(error_with(field, {{bomb, 4}}),
                  AllOf(HasSubstr(adapter_.string() + "/adapter_config.json: " + field),
                        HasSubstr(bomb), HasSubstr("takes too long")));
  for (const char* costly : {"(.*)\\.(.*)\\.(.*)x", ".*layers\\.(0|1|2)\\..*(q_proj|k_proj).*"})
    EXPECT_EQ(error_with("alpha_pattern", {{costly, 4}}), "accepted") << costly;
}

TEST_F(AdapterOnLlama, TensorsThatDoNotFitAreRefused) {
  const auto refusal = [&](const std::function<void()>& change) {
    tensors_.clear();
    add_factors(kQuery, 64, 64);
    change();
    return error();
  };
  EXPECT_THAT(refusal([&] { tensors_.erase(std::string(kQuery) + ".lora_B.weight"); }),
              HasSubstr("its counterpart is missing"));
  EXPECT_THAT(refusal([&] { add_factors(kQuery, 64, 32); }),
              AllOf(HasSubstr("do not fit"), HasSubstr("A [4, 32]"), HasSubstr("[64, 64]")));
  EXPECT_THAT(refusal([&] { add_factors("base_model.model.model.layers.7.mlp.up_proj", 96, 64); }),
              AllOf(HasSubstr("matches nothing"), HasSubstr("layers.7.mlp.up_proj.weight")));
  EXPECT_THAT(refusal([&] { add("model.layers.0.self_attn.q_proj.lora_A.weight", at::ones({1})); }),
              HasSubstr("'base_model.model.'"));
  EXPECT_THAT(refusal([&] { add("base_model.model.model.norm.weight", at::ones({65})); }),
              AllOf(HasSubstr("[65]"), HasSubstr("[64]")));
  EXPECT_THAT(refusal([&] {
                add(std::string(kQuery) + ".weight", at::ones({64, 64}));
              }),
              HasSubstr("it would replace a tensor that"));
  EXPECT_THAT(refusal([&] { add(std::string(kQuery) + ".lora_magnitude_vector", at::ones({64})); }),
              HasSubstr("use_dora"));
  EXPECT_THAT(
      refusal([&] { add("base_model.model.model.norm.weight", at::ones({64}, at::kLong)); }),
      HasSubstr("dtype I64"));
  tensors_.clear();
  EXPECT_THAT(error(), HasSubstr("holds no tensor"));
}

TEST_F(AdapterOnLlama, ACopyOfAnotherBaseIsRefused) {
  const std::string module = "base_model.model.model.embed_tokens";
  add(module + ".lora_embedding_A", at::randn({4, 97}));
  add(module + ".lora_embedding_B", at::randn({64, 4}));
  add(module + ".base_layer.weight", base_.at("model.embed_tokens.weight"));
  write();
  const at::Tensor a = tensors_.at(module + ".lora_embedding_A");
  const at::Tensor b = tensors_.at(module + ".lora_embedding_B");
  EXPECT_TRUE(at::allclose(effective("model.embed_tokens.weight"),
                           base_.at("model.embed_tokens.weight") + 2 * at::matmul(b, a).t(), 1e-5,
                           1e-5));
  add(module + ".base_layer.weight", base_.at("model.embed_tokens.weight") + 1);
  EXPECT_THAT(error(), HasSubstr("trained on another base"));
}

TEST_F(AdapterOnLlama, FoldersThatAreNoneAreToldApart) {
  add_factors(kQuery, 64, 64);
  write();
  const auto refusal = [](const CheckpointPath& path) -> std::string {
    return refusal_of([&] { (void)Checkpoint(path); });
  };
  EXPECT_THAT(refusal({folder_, folder_}), HasSubstr("it is a whole checkpoint"));
  EXPECT_THAT(refusal(adapter_), HasSubstr("it is a PEFT adapter"));
  EXPECT_THAT(refusal({folder_, temporary_.path() / "none"}), HasSubstr("no such folder"));
  fs::rename(adapter_ / "adapter_model.safetensors", adapter_ / "adapter_model.bin");
  EXPECT_THAT(refusal(path()), HasSubstr("safe_serialization=True"));
}

TEST(AdapterOnWrapper, ModulesAreFoundUnderEitherName) {
  json text = tiny_qwen("qwen3_5_text");
  for (const bool is_wrapped : {false, true}) {
    const json base = is_wrapped ? json{{"model_type", "qwen3_5"}, {"text_config", text}} : text;
    for (const char* prefix : {"model.", "model.language_model.", "language_model.model.", ""}) {
      TinyAdapter adapter(base);
      adapter.add_factors(fmt::format("base_model.model.{}layers.1.self_attn.k_proj", prefix), 128,
                          64);
      adapter.write();
      const Checkpoint checkpoint(adapter.path());
      EXPECT_TRUE(
          checkpoint.is_adapted(is_wrapped ? "model.language_model.layers.1.self_attn.k_proj.weight"
                                           : "model.layers.1.self_attn.k_proj.weight"))
          << prefix;
    }
  }
}

TEST_F(AdapterOnLlama, WhatIsNoNumberIsNotMerged) {
  add_factors(kQuery, 64, 64);
  at::Tensor& a = tensors_.at(std::string(kQuery) + ".lora_A.weight");
  a = a.clone();
  a[0][0] = std::nan("");
  write();
  const TemporaryFolder temporary;
  RestoreCheckpointOptions as_tuned;
  as_tuned.restore.alpha = 0;
  try {
    restore_checkpoint(path().folder, path(), temporary.path() / "out", as_tuned);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("layers.0.self_attn.q_proj.weight"),
                                    HasSubstr(adapter_.string()), HasSubstr("not finite")));
  }
  EXPECT_FALSE(fs::exists(temporary.path() / "out"));
}

/// Adapters with logits of base plus adapter recorded from PEFT.
std::vector<fs::path> golden_adapters() {
  std::vector<fs::path> all;
  if (const auto goldens = golden_folder())
    for (const auto& entry : fs::directory_iterator(*goldens / "families/adapters"))
      all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  return all;
}

CheckpointPath golden_path(const fs::path& adapter) {
  std::string base = read_file(adapter / "base.txt", "testing");
  while (!base.empty() && std::isspace(static_cast<unsigned char>(base.back()))) base.pop_back();
  return {adapter / base, adapter};
}

void expect_golden(const CheckpointPath& path, const fs::path& golden) {
  const VerifyResult result = verify(*load_model(path, at::kFloat), read_golden(golden), 0);
  EXPECT_LT(result.prefill_max_abs_diff, 1e-4) << golden;
  EXPECT_LT(result.decode_max_abs_diff, 1e-4) << golden;
  EXPECT_EQ(result.greedy_equal, result.greedy_compared) << golden;
}

TEST(GoldenAdapters, ComputeWhatTheMergedCheckpointDoes) {
  NIAH_NEEDS_GOLDENS();
  for (const fs::path& adapter : golden_adapters())
    expect_golden(golden_path(adapter), adapter / "golden.safetensors");
}

TEST(GoldenAdapters, AreMergedToTheBit) {
  NIAH_NEEDS_GOLDENS();
  const TemporaryFolder temporary;
  RestoreCheckpointOptions as_tuned;
  as_tuned.restore.alpha = 0;
  as_tuned.restore.windows = true;
  for (const fs::path& adapter : golden_adapters()) {
    const CheckpointPath path = golden_path(adapter);
    const auto tuned = std::make_shared<Checkpoint>(path);
    if (tuned->adapter()->new_head() != nullptr) continue;  // refused, which another test checks
    const fs::path out = temporary.path() / adapter.filename();
    restore_checkpoint(path.folder, path, out, as_tuned);
    const WeightMap merged = load_weights(std::make_shared<Checkpoint>(out), at::kFloat);
    for (const auto& [name, tensor] : load_weights(tuned, at::kFloat))
      EXPECT_TRUE(at::equal(tensor, merged.at(name))) << adapter << " " << name;
    expect_golden(out, adapter / "golden.safetensors");
  }
}

TEST(GoldenAdapters, AreRestoredAsAdapterAndMerged) {
  NIAH_NEEDS_GOLDENS();
  const TemporaryFolder temporary;
  // Recorded with all softmax layers restored, including those with a sliding window.
  RestoreCheckpointOptions every_layer;
  every_layer.restore.windows = true;
  int found = 0;
  for (const fs::path& adapter : golden_adapters()) {
    const fs::path golden = adapter / "golden.restored.safetensors";
    if (!fs::exists(golden)) continue;
    ++found;
    const CheckpointPath path = golden_path(adapter);
    const fs::path out = temporary.path() / adapter.filename();
    restore_adapter(path.folder, path, out, every_layer);
    expect_golden({path.folder, out}, golden);
    const fs::path merged = temporary.path() / (adapter.filename().string() + "-merged");
    restore_checkpoint(path.folder, path, merged, every_layer);
    expect_golden(merged, golden);
  }
  EXPECT_GE(found, 1);
}

}  // namespace
}  // namespace niah::models
