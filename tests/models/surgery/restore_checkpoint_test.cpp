#include "models/surgery/restore_checkpoint.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <map>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
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

TEST_F(RestoreCheckpoint, OfACheckpointWithItselfIsTheSameToTheByte) {
  for (const RestoreMethod method :
       {RestoreMethod::kQk, RestoreMethod::kQkPro, RestoreMethod::kV}) {
    RestoreCheckpointOptions options;
    options.restore.method = method;
    options.norms = true;
    restore_checkpoint(pre_, pre_, out_, options);
    for (const auto& entry : fs::directory_iterator(pre_))
      EXPECT_EQ(bytes(out_ / entry.path().filename()), bytes(entry.path())) << entry.path();
    fs::remove_all(out_);
  }
}

TEST_F(RestoreCheckpoint, QkChangesQueryAndKeyOfSoftmaxLayersAndNothingElse) {
  const RestoreSummary summary = restore_checkpoint(pre_, post_, out_, {});
  const auto layers = softmax_layers(load_model(post_, at::kFloat)->info());
  std::set<std::string> expected;
  for (const SoftmaxLayer& layer : layers) {
    expected.insert(layer.query.begin(), layer.query.end());
    expected.insert(layer.key.begin(), layer.key.end());
  }
  EXPECT_EQ(changed_names(), expected);
  EXPECT_EQ(summary.tensors.size(), expected.size());
  const WeightMap before = read(pre_), after = read(out_);
  for (const std::string& name : expected)
    EXPECT_TRUE(at::equal(after.at(name), before.at(name))) << name;
  // All bytes outside those tensors, including the header, are those of `post`.
  EXPECT_EQ(fs::file_size(out_ / "model.safetensors"), fs::file_size(post_ / "model.safetensors"));
  EXPECT_EQ(SafetensorsFile(out_ / "model.safetensors").metadata().at("format"), "pt");
  EXPECT_TRUE(fs::exists(out_ / "tokenizer.json"));
  EXPECT_THAT(bytes(out_ / "restore.json"), HasSubstr("\"method\": \"qk\""));
}

TEST_F(RestoreCheckpoint, KeepsTheElementTypeOfTheCheckpointAfter) {
  make_post(at::kBFloat16);
  restore_checkpoint(pre_, post_, out_, {});
  const Checkpoint out(out_);
  const WeightMap before = read(pre_), after = read(out_);
  ASSERT_FALSE(changed_names().empty());
  for (const std::string& name : changed_names()) {
    EXPECT_EQ(out.find(name)->dtype, DType::kBF16);
    EXPECT_TRUE(at::equal(after.at(name), before.at(name).to(at::kBFloat16).to(at::kFloat)));
  }
}

TEST_F(RestoreCheckpoint, AlphaGoesFromTheFineTuneToTheRestored) {
  RestoreCheckpointOptions options;
  options.restore.alpha = 0;
  restore_checkpoint(pre_, post_, out_, options);
  EXPECT_TRUE(changed_names().empty());
  fs::remove_all(out_);
  options.restore.alpha = 0.25;
  restore_checkpoint(pre_, post_, out_, options);
  const WeightMap before = read(pre_), after = read(post_), out = read(out_);
  ASSERT_FALSE(changed_names().empty());
  for (const std::string& name : changed_names())
    EXPECT_TRUE(
        at::allclose(out.at(name), 0.75 * after.at(name) + 0.25 * before.at(name), 1e-5, 1e-7))
        << name;
}

TEST_F(RestoreCheckpoint, AlphaZeroIsTheFineTuneToTheByte) {
  WeightMap weights = read(post_);
  for (auto& [name, tensor] : weights) {
    tensor = tensor.clone();
    tensor.view({-1})[0] = -0.0F;
  }
  save_weights(post_ / "model.safetensors", weights, {});
  RestoreCheckpointOptions options;
  options.restore.alpha = 0;
  for (const RestoreMethod method : {RestoreMethod::kQk, RestoreMethod::kQkPro}) {
    options.restore.method = method;
    const RestoreSummary summary = restore_checkpoint(pre_, post_, out_, options);
    EXPECT_TRUE(summary.tensors.empty());
    EXPECT_EQ(bytes(out_ / "model.safetensors"), bytes(post_ / "model.safetensors"));
    EXPECT_THAT(bytes(out_ / "restore.json"), HasSubstr("\"tensors\": []"));
    fs::remove_all(out_);
  }
  const ModelInfo info = load_model(post_, at::kFloat)->info();
  for (const auto& [name, tensor] : restore(read(pre_), weights, info, options.restore))
    EXPECT_TRUE(at::equal(tensor.view(at::kInt), weights.at(name).view(at::kInt))) << name;
  options.restore.layers = {{0}};
  EXPECT_THAT(refusal(options), HasSubstr("layer 0 cannot be restored"));
}

TEST_F(RestoreCheckpoint, WhatIsNoNumberIsNotPutBack) {
  WeightMap weights = read(pre_);
  const std::string query = softmax_layers(load_model(pre_, at::kFloat)->info()).front().query[0];
  weights[query] = weights.at(query).clone();
  weights[query][0][0] = std::nan("");
  fs::remove_all(pre_);
  fs::create_directories(pre_);
  fs::copy(post_ / "config.json", pre_ / "config.json");
  save_weights(pre_ / "model.safetensors", weights, {});
  EXPECT_THAT(refusal(), testing::AllOf(HasSubstr(query), HasSubstr("NaN and infinities"),
                                        HasSubstr(pre_.string())));
  expect_nothing_left();
}

// As lambda grows, the filter G (G + lambda I)^-1 goes to 0, and W_Q stays as after the fine-tune.
// As lambda goes to 0, the filter goes to the projection onto the row space of W_K, which is the
// identity if W_K has full row rank: then W_Q is that from before the fine-tune, and qk-pro equals
// qk.
TEST_F(RestoreCheckpoint, QkProHasTheLimitsOfItsRidge) {
  RestoreCheckpointOptions options;
  options.restore.method = RestoreMethod::kQkPro;
  options.restore.lambda = 1e-9;
  const RestoreSummary small = restore_checkpoint(pre_, post_, out_, options);
  EXPECT_LT(*small.residual, 1e-4);
  const auto layer = softmax_layers(load_model(post_, at::kFloat)->info()).front();
  EXPECT_TRUE(
      at::allclose(read(out_).at(layer.query[0]), read(pre_).at(layer.query[0]), 1e-3, 1e-4));
  EXPECT_TRUE(at::equal(read(out_).at(layer.key[0]), read(pre_).at(layer.key[0])));
  fs::remove_all(out_);
  options.restore.lambda = 1e9;
  const RestoreSummary large = restore_checkpoint(pre_, post_, out_, options);
  EXPECT_GT(*large.residual, *small.residual);
  EXPECT_TRUE(
      at::allclose(read(out_).at(layer.query[0]), read(post_).at(layer.query[0]), 1e-4, 1e-6));
}

TEST_F(RestoreCheckpoint, LayersNormsAndBiasesAreChosen) {
  RestoreCheckpointOptions options;
  options.norms = true;
  restore_checkpoint(pre_, post_, out_, options);
  const auto layer = softmax_layers(load_model(post_, at::kFloat)->info()).front();
  EXPECT_TRUE(changed_names().contains("model.layers." + std::to_string(layer.index) +
                                       ".self_attn.q_norm.weight"));
  fs::remove_all(out_);
  options.restore.layers = {{0}};
  EXPECT_THAT(refusal(options), HasSubstr("layer 0"));
  expect_nothing_left();
}

TEST_F(RestoreCheckpoint, LinearLayersOnlyOnRequest) {
  RestoreCheckpointOptions options;
  options.linear = true;
  restore_checkpoint(pre_, post_, out_, options);
  const auto model = load_model(post_, at::kFloat);
  std::set<std::string> expected;
  for (std::int64_t i = 0; i < model->num_layers(); ++i)
    for (const char* part : {"q_proj", "k_proj"})
      expected.insert("model.layers." + std::to_string(i) + ".self_attn." + part + ".weight");
  EXPECT_EQ(changed_names(), expected);
  fs::remove_all(out_);
  options.restore.method = RestoreMethod::kQkPro;
  EXPECT_THAT(refusal(options), HasSubstr("linear layers can only be copied"));
}

TEST_F(RestoreCheckpoint, QkProExactKeepsTheRoutingOnDisk) {
  RestoreCheckpointOptions options;
  options.restore.method = RestoreMethod::kQkProExact;
  const RestoreSummary summary = restore_checkpoint(pre_, post_, out_, options);
  ASSERT_TRUE(summary.residual);
  EXPECT_LT(*summary.residual, 1e-5);
}

TEST_F(RestoreCheckpoint, AlphaIsForTheNormsTooWhateverTheMethod) {
  RestoreCheckpointOptions options;
  options.norms = true;
  options.restore.alpha = 0;
  for (const RestoreMethod method : {RestoreMethod::kQk, RestoreMethod::kQkPro}) {
    options.restore.method = method;
    restore_checkpoint(pre_, post_, out_, options);
    EXPECT_TRUE(changed_names().empty()) << restore_method_name(method);
    fs::remove_all(out_);
  }
}

TEST_F(RestoreCheckpoint, OnDiskIsWhatItIsInMemory) {
  const ModelInfo info = load_model(post_, at::kFloat)->info();
  for (const RestoreMethod method :
       {RestoreMethod::kQk, RestoreMethod::kQkPro, RestoreMethod::kQkProExact, RestoreMethod::kQ,
        RestoreMethod::kK, RestoreMethod::kV, RestoreMethod::kParts}) {
    RestoreCheckpointOptions options;
    options.restore.method = method;
    if (method == RestoreMethod::kParts)
      options.restore.parts = {WeightPart::kQuery, WeightPart::kMlp, WeightPart::kEmbedding};
    options.restore.alpha = 0.7;
    restore_checkpoint(pre_, post_, out_, options);
    const WeightMap memory = restore(read(pre_), read(post_), info, options.restore);
    for (const auto& [name, tensor] : read(out_))
      EXPECT_TRUE(at::equal(tensor, memory.at(name))) << name;
    fs::remove_all(out_);
  }
}

TEST_F(RestoreCheckpoint, WhatIsNotOneModelIsRefusedWithTheDifferences) {
  auto config = parse_json_file(post_ / "config.json", "test");
  config["rms_norm_eps"] = 1e-3;
  write_file(post_ / "config.json", config.dump());
  EXPECT_THAT(refusal(), HasSubstr("rms_norm_eps"));
  fs::copy_file(pre_ / "config.json", post_ / "config.json", fs::copy_options::overwrite_existing);
  write_file(pre_ / "tokenizer.json", "{\"other\": 1}");
  EXPECT_THAT(refusal(), HasSubstr("tokenizer.json"));
  fs::remove(pre_ / "tokenizer.json");
  fs::resize_file(post_ / "model.safetensors", 50000);
  EXPECT_THAT(refusal(), HasSubstr("truncated"));
  expect_nothing_left();
  make_post(at::kFloat);
  fs::create_directories(out_);
  write_file(out_ / "notes.txt", "mine");
  EXPECT_THAT(refusal(), HasSubstr("holds other things (notes.txt)"));
  EXPECT_EQ(bytes(out_ / "notes.txt"), "mine");
}

TEST_F(RestoreCheckpoint, AnEmptyFolderAndASlashAtTheEndAreFine) {
  fs::create_directories(out_);
  restore_checkpoint(pre_, post_, out_ / "", {});
  EXPECT_FALSE(changed_names().empty());
  fs::remove_all(out_);
  expect_nothing_left();
}

TEST_F(RestoreCheckpoint, WhatAKilledOneLeftIsSwept) {
  const fs::path left = temporary_.path() / ".out.niah-partial";
  fs::create_directories(left / "sub");
  write_file(left / "model.safetensors", "half");
  restore_checkpoint(pre_, post_, out_, {});
  EXPECT_FALSE(fs::exists(left));
  EXPECT_FALSE(fs::exists(out_ / "sub"));
  EXPECT_FALSE(changed_names().empty());
}

TEST_F(RestoreCheckpoint, NeverIntoOneOfItsCheckpoints) {
  for (const fs::path& out : {post_ / "qk", pre_ / "a" / "b", post_ / ".." / "post" / "qk"}) {
    try {
      restore_checkpoint(pre_, post_, out, {});
      ADD_FAILURE() << out;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), HasSubstr("lies in the checkpoint"));
    }
    EXPECT_FALSE(fs::exists(out));
  }
}

TEST_F(RestoreCheckpoint, SubFoldersAndDotFilesAreCarriedOver) {
  fs::create_directories(post_ / "templates/deep");
  fs::create_directories(post_ / "empty");
  write_file(post_ / "templates/deep/tool_use.jinja", "{{ tools }}");
  write_file(post_ / ".gitattributes", "*.safetensors filter=lfs");
  write_file(temporary_.path() / "pre/blob", "shared");
  fs::create_symlink("../pre/blob", post_ / "linked.txt");
  restore_checkpoint(pre_, post_, out_, {});
  fs::remove(pre_ / "blob");
  EXPECT_EQ(bytes(out_ / "templates/deep/tool_use.jinja"), "{{ tools }}");
  EXPECT_EQ(bytes(out_ / ".gitattributes"), "*.safetensors filter=lfs");
  EXPECT_EQ(bytes(out_ / "linked.txt"), "shared");
  EXPECT_TRUE(fs::is_directory(out_ / "empty"));
  fs::remove_all(out_);
  fs::remove(post_ / "linked.txt");
  fs::create_symlink("nowhere", post_ / "broken");
  EXPECT_THAT(refusal(), HasSubstr("broken is a link that leads to no file or folder"));
  fs::remove(post_ / "broken");
  expect_nothing_left();
}

TEST_F(RestoreCheckpoint, Fp64IsExact) {
  make_post(at::kDouble);
  const auto original = std::make_shared<Checkpoint>(pre_);
  WeightMap wide;
  for (const auto& [name, tensor] : load_weights(original, at::kDouble))
    wide.emplace(name, tensor + 1e-12 * torch::rand_like(tensor));
  fs::remove_all(pre_);
  fs::create_directories(pre_);
  fs::copy(post_ / "config.json", pre_ / "config.json");
  save_weights(pre_ / "model.safetensors", wide, {});
  for (const bool half_way : {false, true}) {
    RestoreCheckpointOptions options;
    options.restore.alpha = half_way ? 0.5 : 1;
    restore_checkpoint(pre_, post_, out_, options);
    const auto read_wide = [](const fs::path& folder) {
      return load_weights(std::make_shared<Checkpoint>(folder), at::kDouble);
    };
    const WeightMap out = read_wide(out_), post = read_wide(post_);
    for (const std::string& name : changed_names()) {
      const at::Tensor& after = post.at(name);
      const at::Tensor expected = half_way ? after + 0.5 * (wide.at(name) - after) : wide.at(name);
      EXPECT_TRUE(at::equal(out.at(name), expected)) << name;
    }
    fs::remove_all(out_);
  }
}

TEST_F(RestoreCheckpoint, NumbersThatTheTypeCannotHoldAreRefused) {
  make_post(at::kHalf);
  const auto original = std::make_shared<Checkpoint>(pre_);
  WeightMap large;
  for (const auto& [name, tensor] : load_weights(original, at::kFloat))
    large.emplace(name, tensor * 1e8);
  fs::remove_all(pre_);
  fs::create_directories(pre_);
  fs::copy(post_ / "config.json", pre_ / "config.json");
  save_weights(pre_ / "model.safetensors", large, {});
  EXPECT_THAT(refusal(), testing::AllOf(HasSubstr("too large for the F16"), HasSubstr("_proj")));
  expect_nothing_left();
}

TEST_F(RestoreCheckpoint, HowConfigAndTokenizerAreSpeltDoesNotMatter) {
  auto config = parse_json_file(post_ / "config.json", "test");
  config["use_cache"] = !config.value("use_cache", true);
  config["eos_token_id"] = nullptr;
  config["rope_parameters"] = {{"rope_theta", config["rope_theta"]}, {"rope_type", "default"}};
  config.erase("rope_theta");
  write_file(post_ / "config.json", config.dump());
  auto tokenizer = parse_json_file(test_data() / "tokenizer/qwen/tokenizer.json", "test");
  write_file(pre_ / "tokenizer.json", tokenizer.dump());
  tokenizer["truncation"] = {{"max_length", 512}};
  write_file(post_ / "tokenizer.json", tokenizer.dump(2));
  EXPECT_EQ(refusal(), "accepted");
  fs::remove_all(out_);
  std::swap(tokenizer["model"]["merges"][0], tokenizer["model"]["merges"][1]);
  write_file(post_ / "tokenizer.json", tokenizer.dump(2));
  EXPECT_THAT(refusal(), HasSubstr("differ in the ids that they make"));
}

}  // namespace
}  // namespace niah::models
