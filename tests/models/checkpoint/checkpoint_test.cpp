#include "models/checkpoint/checkpoint.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/checkpoint/adapter_beside.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "models/tokenizer/tokenizer.h"
#include "tests/models/support.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

/// A copy of the sharded golden checkpoint that a test may damage.
class DamagedCheckpoint : public testing::Test {
 protected:
  DamagedCheckpoint() {
    fs::copy(test_data() / "models/hypenet-tiny-sharded", folder_, fs::copy_options::recursive);
    for (const auto& entry : fs::directory_iterator(folder_))
      fs::permissions(entry, fs::perms::owner_write, fs::perm_options::add);
  }

  std::string error() const {
    try {
      load_model(folder_, at::kFloat);
    } catch (const DataError& error) {
      return error.what();
    }
    return "loaded";
  }
  nlohmann::json json(const char* file) const { return parse_json_file(folder_ / file, "test"); }
  void write(const char* file, const nlohmann::json& json) const {
    write_file(folder_ / file, json.dump());
  }
  void set_config(const std::string& field, const nlohmann::json& value) const {
    auto config = json("config.json");
    config[field] = value;
    write("config.json", config);
  }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path() / "checkpoint";
  static constexpr const char* kIndex = "model.safetensors.index.json";
};

TEST_F(DamagedCheckpoint, WholeOneLoads) { EXPECT_EQ(error(), "loaded"); }

TEST_F(DamagedCheckpoint, MissingShardsAreListed) {
  fs::remove(folder_ / "model-00002-of-00003.safetensors");
  EXPECT_THAT(error(),
              AllOf(HasSubstr("1 of 3 shards"), HasSubstr("model-00002-of-00003.safetensors")));
}

TEST_F(DamagedCheckpoint, TruncatedShardNamesItsFile) {
  fs::resize_file(folder_ / "model-00003-of-00003.safetensors", 150000);
  EXPECT_THAT(error(), AllOf(HasSubstr("model-00003-of-00003"), HasSubstr("truncated")));
}

TEST_F(DamagedCheckpoint, StaleIndexNamesTensorAndShard) {
  auto index = json(kIndex);
  index["weight_map"]["model.norm.weight"] = "model-00001-of-00003.safetensors";
  write(kIndex, index);
  EXPECT_THAT(error(), AllOf(HasSubstr("model.norm.weight"), HasSubstr("model-00001-of-00003")));
  index["weight_map"].erase("model.norm.weight");
  write(kIndex, index);
  EXPECT_THAT(error(), AllOf(HasSubstr("model.norm.weight"), HasSubstr("does not place")));
}

TEST_F(DamagedCheckpoint, IndexMayNotLeaveItsFolder) {
  for (const char* name :
       {"../secret.safetensors", "/etc/passwd", "a/b.safetensors", "", "..", "x.bin"}) {
    auto index = json(kIndex);
    index["weight_map"]["model.norm.weight"] = name;
    write(kIndex, index);
    EXPECT_THAT(error(), HasSubstr("same folder")) << name;
  }
}

TEST_F(DamagedCheckpoint, FilesThatTheIndexDoesNotNameDoNotCount) {
  save_weights(folder_ / "consolidated.safetensors", {{"w", at::ones({2})}}, {});
  save_weights(folder_ / "model-00001-of-00001.safetensors", {{"w", at::ones({2})}}, {});
  EXPECT_EQ(error(), "loaded");
}

TEST_F(DamagedCheckpoint, TheHubsCacheIsReadThroughItsLinks) {
  const fs::path model = temporary_.path() / "models--org--name", blobs = model / "blobs",
                 snapshot = model / "snapshots/0123abcd";
  fs::create_directories(blobs);
  fs::create_directories(snapshot);
  int number = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string blob = "sha" + std::to_string(number++);
    fs::rename(entry.path(), blobs / blob);
    fs::create_symlink(fs::path("../../blobs") / blob, snapshot / entry.path().filename());
  }
  folder_ = snapshot;
  EXPECT_EQ(error(), "loaded");
  folder_ = model;
  EXPECT_THAT(error(), AllOf(HasSubstr("no config.json"), HasSubstr("in its snapshots")));
  folder_ = snapshot;
  fs::remove(snapshot / "config.json");
  fs::create_symlink("../../blobs/gone", snapshot / "config.json");
  EXPECT_THAT(error(), AllOf(HasSubstr("config.json"), HasSubstr("the link leads nowhere")));
}

TEST_F(DamagedCheckpoint, ALinkThatLeadsNowhereIsNotAsIfItWereNotThere) {
  for (const char* name : {"generation_config.json", "model.safetensors"}) {
    fs::create_symlink("gone", folder_ / name);
    EXPECT_THAT(error(),
                AllOf(HasSubstr((folder_ / name).string()), HasSubstr("the link leads nowhere")));
    fs::remove(folder_ / name);
  }
  fs::create_symlink("gone", folder_ / "tokenizer.json");
  fs::copy(test_data() / "../../models/zoo/tokenizer/tokenizer.model", folder_);
  EXPECT_THAT(refusal_of([&] { open_tokenizer(folder_); }), HasSubstr("the link leads nowhere"));
}

TEST_F(DamagedCheckpoint, AnAdapterBesideTheWeightsIsSaid) {
  EXPECT_EQ(adapter_beside(folder_), "");
  write("adapter_config.json", {{"peft_type", "LORA"}});
  EXPECT_EQ(error(), "loaded");
  EXPECT_THAT(adapter_beside(folder_),
              AllOf(HasSubstr(folder_.string()), HasSubstr("the adapter is left out")));
  EXPECT_EQ(adapter_beside({folder_, folder_}), "") << "it is named";
}

TEST_F(DamagedCheckpoint, QuantisedWeightsAreRefusedWithWhatToDo) {
  set_config("quantization_config", {{"quant_method", "fp8"}, {"fmt", "e4m3"}});
  EXPECT_THAT(error(), AllOf(HasSubstr("quantised (fp8)"), HasSubstr("dequantised")));
  EXPECT_EQ(error().find('\n'), std::string::npos);
  auto config = json("config.json");
  config.erase("quantization_config");
  write("config.json", config);
  const fs::path single = temporary_.path() / "int8";
  fs::create_directory(single);
  fs::copy(folder_ / "config.json", single);
  WeightMap weights = load_weights(std::make_shared<Checkpoint>(folder_), at::kFloat);
  weights["model.norm.weight"] = at::ones({64}, at::kByte);
  save_weights(single / "model.safetensors", weights, {});
  folder_ = single;
  EXPECT_THAT(error(), AllOf(HasSubstr("dtype U8"), HasSubstr("dequantised")));
}

TEST_F(DamagedCheckpoint, BrokenJsonGivesLineAndColumn) {
  write_file(folder_ / "config.json", "{\n  \"a\": 1,\n  oops\n}");
  EXPECT_THAT(error(), HasSubstr("config.json:3:3"));
}

TEST_F(DamagedCheckpoint, TensorsThatDoNotFitAreAllListed) {
  set_config("intermediate_size", 161);
  EXPECT_THAT(error(), AllOf(HasSubstr("wrong shape (18)"),
                             HasSubstr("mlp.down_proj.weight is [64, 160], expected [64, 161]")));
  set_config("intermediate_size", 160);
  set_config("attention_bias", true);
  EXPECT_THAT(error(), AllOf(HasSubstr("missing ("), HasSubstr("q_proj.bias [64]")));
  set_config("attention_bias", false);
  set_config("attn_use_output_gate", false);
  EXPECT_THAT(error(), AllOf(HasSubstr("unexpected (2)"), HasSubstr("o_gate.weight [64, 64]")));
}

TEST_F(DamagedCheckpoint, HeadThatContradictsTheConfigIsRefused) {
  set_config("tie_word_embeddings", false);
  EXPECT_THAT(error(), AllOf(HasSubstr("missing (1)"), HasSubstr("lm_head.weight [256, 64]")));
}

TEST_F(DamagedCheckpoint, ConfigFieldsAreHonouredOrRefused) {
  const std::vector<std::tuple<const char*, nlohmann::json, const char*>> cases = {
      {"hidden_act", "gelu", "hidden_act"},
      {"rope_scaling", {{"type", "yarn"}}, "rope_scaling"},
      {"lightning_use_short_conv", true, "lightning_use_short_conv"},
      {"attn_logits_scaling", 3, "attn_logits_scaling"},
      {"attn_logits_scaling", "hype many", "'many' is not a number"},
      {"mixer_types", {"attn"}, "mixer_types"},
      {"hidden_size", "64", "an integer was expected"},
      {"hidden_size", -64, "positive"},
      {"attn_logit_scaling", "hype 500", "did you mean 'attn_logits_scaling'"},
      {"model_type", "hypnet", "did you mean 'hypenet'"},
      {"num_key_value_heads", 3, "does not divide"},
  };
  const auto original = json("config.json");
  for (const auto& [field, value, expected] : cases) {
    set_config(field, value);
    EXPECT_THAT(error(), HasSubstr(expected)) << field;
    write("config.json", original);
  }
}

TEST_F(DamagedCheckpoint, NoValueIsTakenForAnother) {
  const std::vector<std::tuple<const char*, nlohmann::json, const char*>> cases = {
      {"lightning_scale", "sqrt", "'sqrt' is not known"},
      {"lightning_scale", "1/sqrt(D)", "did you mean '1/sqrt(d)'"},
      {"attn_logits_scaling", "log 500", "'hype' and one number"},
      {"attn_logits_scaling", "hype 500 1000", "'hype' and one number"},
      {"attn_logits_scaling", -1.5, "attn_logits_scaling"},
      {"lightning_nh", 4294967296, "lightning_nh"},
      {"num_attention_heads", 1 << 20, "num_attention_heads"},
      {"num_hidden_layers", 4294967296, "num_hidden_layers"},
      {"num_hidden_layers", 60000, "num_hidden_layers: 60000"},
      {"hidden_size", std::uint64_t{1} << 63, "hidden_size"},
      {"vocab_size", 18446744073709551615U, "vocab_size"},
      {"intermediate_size", 1 << 24, "wrong shape"},
      {"rms_norm_eps", -1e-6, "rms_norm_eps"},
      {"rms_norm_eps", 2.5, "rms_norm_eps"},
      {"rope_theta", 0, "rope_theta"},
      {"rope_theta", 1e300, "rope_theta"},
      {"rope_parameters", {{"rope_theta", 77.0}}, "contradicts"},
      {"rope_parameters", {{"rope_type", "yarn"}}, "rope_parameters"},
      {"max_position_embeddings", -1, "max_position_embeddings"},
      {"max_position_embeddings", 18446744073709551615U, "max_position_embeddings"},
      {"eos_token_id", 256, "below vocab_size (256)"},
      {"eos_token_id", -1, "eos_token_id"},
      {"eos_token_id", {1, 18446744073709551615U}, "eos_token_id"},
      {"bos_token_id", 18446744073709551615U, "bos_token_id"},
  };
  const auto original = json("config.json");
  for (const auto& [field, value, expected] : cases) {
    set_config(field, value);
    EXPECT_THAT(error(), HasSubstr(expected)) << field << " " << value;
    write("config.json", original);
  }
}

TEST_F(DamagedCheckpoint, JsonOfAModelIsBoundedAndUnambiguous) {
  const std::string config = read_file(folder_ / "config.json", "test");
  std::string twice = config;
  twice.replace(twice.find('{'), 1, "{\"hidden_size\": 64,");
  write_file(folder_ / "config.json", twice);
  EXPECT_THAT(error(), AllOf(HasSubstr("config.json"), HasSubstr("'hidden_size' is there twice")));
  constexpr std::size_t kDepth = 100'000;
  std::string nested = config;
  nested.replace(nested.find('{'), 1,
                 "{\"extra\": " + std::string(kDepth, '[') + std::string(kDepth, ']') + ",");
  write_file(folder_ / "config.json", nested);
  EXPECT_THAT(error(), AllOf(HasSubstr("config.json"), HasSubstr("nested more than")));
  write_file(folder_ / "config.json", config);
  std::string index = read_file(folder_ / kIndex, "test");
  index.replace(index.find("\"weight_map\""), 0, "\"weight_map\": {}, ");
  write_file(folder_ / kIndex, index);
  EXPECT_THAT(error(), HasSubstr("'weight_map' is there twice"));
}

TEST_F(DamagedCheckpoint, GitLfsPointersAreCalledByTheirName) {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4932712\n";
  for (const char* file : {"model-00002-of-00003.safetensors", kIndex, "config.json"}) {
    const std::string before = read_file(folder_ / file, "test");
    write_file(folder_ / file, pointer);
    EXPECT_THAT(error(),
                AllOf(HasSubstr(file), HasSubstr("Git LFS pointer"), HasSubstr("git lfs pull")));
    write_file(folder_ / file, before);
  }
}

TEST_F(DamagedCheckpoint, TextsEndAtTheIdsOfEitherConfig) {
  const auto config = json("config.json");
  const auto ids = [&](const nlohmann::json& generation) {
    write("generation_config.json", generation);
    return load_model(folder_, at::kFloat)->info().eos_ids;
  };
  using Ids = std::vector<std::int64_t>;
  set_config("eos_token_id", 7);
  EXPECT_EQ(ids({{"do_sample", false}}), Ids({7}));
  EXPECT_EQ(ids({{"eos_token_id", 7}}), Ids({7}));
  EXPECT_EQ(ids({{"eos_token_id", {9, 7}}}), Ids({7, 9}));
  EXPECT_EQ(load_model(folder_, at::kFloat, {{"eos_token_id", 3}})->info().eos_ids, Ids({3}));
  set_config("eos_token_id", nullptr);
  EXPECT_EQ(ids({{"eos_token_id", 9}}), Ids({9}));
  // A generation config that adds nothing leaves the config, and so fingerprints, unchanged.
  write("config.json", config);
  write("generation_config.json", {{"eos_token_id", config["eos_token_id"]}});
  EXPECT_EQ(Checkpoint(folder_).config(), config);

  for (const nlohmann::json& bad :
       {nlohmann::json({{"eos_token_id", "</s>"}}), nlohmann::json({{"eos_token_id", -1}}),
        nlohmann::json({{"eos_token_id", {1, 2.5}}}), nlohmann::json::array()}) {
    write("generation_config.json", bad);
    EXPECT_THAT(error(), HasSubstr("generation_config.json")) << bad;
  }
  write("generation_config.json", {{"eos_token_id", 300}});
  EXPECT_THAT(error(), HasSubstr("below vocab_size (256) was expected, found 300"));
  write_file(folder_ / "generation_config.json", "{");
  EXPECT_THAT(error(), HasSubstr("generation_config.json:1:2"));
}

TEST_F(DamagedCheckpoint, TensorsThatNobodyAskedForAreListedWithoutComparingAll) {
  const auto checkpoint = std::make_shared<Checkpoint>(folder_);
  WeightMap weights = load_weights(checkpoint, at::kBFloat16);
  const at::Tensor small = at::zeros({1}, at::kBFloat16);
  for (int i = 0; i < 40'000; ++i)
    weights.emplace("model.layers." + std::to_string(i) + ".mixture.experts.7.up", small);
  const TemporaryFolder folder;
  fs::copy(folder_ / "config.json", folder.path() / "config.json");
  save_weights(folder.path() / "model.safetensors", weights, {});
  EXPECT_THROW(load_model(folder.path(), at::kFloat), DataError);  // once took 8 s
}

TEST_F(DamagedCheckpoint, TensorsThatAreNoNumbersToComputeWithAreRefusedWithTheirType) {
  const auto checkpoint = std::make_shared<Checkpoint>(folder_);
  WeightMap weights = load_weights(checkpoint, at::kBFloat16);
  const TemporaryFolder folder;
  fs::copy(folder_ / "config.json", folder.path() / "config.json");
  at::Tensor& norm = weights.at("model.norm.weight");
  const at::Tensor right = norm;
  norm = at::ones(norm.sizes(), at::kLong);
  save_weights(folder.path() / "model.safetensors", weights, {});
  try {
    load_model(folder.path(), at::kFloat);
    FAIL() << "loaded";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("model.norm.weight"), HasSubstr("I64"),
                                    HasSubstr("model.safetensors")));
  }
  norm = right.to(at::kHalf);  // mixed types are fine
  save_weights(folder.path() / "model.safetensors", weights, {});
  EXPECT_NO_THROW(load_model(folder.path(), at::kFloat));
}

TEST_F(DamagedCheckpoint, HalfPrecisionLoadsAsItIs) {
  const auto checkpoint = std::make_shared<Checkpoint>(folder_);
  WeightMap half = load_weights(checkpoint, at::kHalf);
  const TemporaryFolder folder;
  fs::copy(folder_ / "config.json", folder.path() / "config.json");
  save_weights(folder.path() / "model.safetensors", half, {});
  const auto model = load_model(folder.path(), at::kFloat);
  for (const auto& item : model->named_parameters())
    EXPECT_TRUE(at::equal(item.value(), half.at(item.key()).to(at::kFloat))) << item.key();
}

TEST_F(DamagedCheckpoint, ShardsWithoutTheirIndexAreReadByTheirHeaders) {
  const std::string before = Checkpoint(folder_).weights_sha256();
  fs::remove(folder_ / kIndex);
  EXPECT_EQ(error(), "loaded");
  EXPECT_EQ(Checkpoint(folder_).weights_sha256(), before);
  const fs::path twin = folder_ / "twin-00001-of-00003.safetensors";
  fs::copy(folder_ / "model-00001-of-00003.safetensors", twin);
  EXPECT_THAT(error(), AllOf(HasSubstr("twin-00001"), HasSubstr("both hold")));
  fs::remove(twin);
  fs::remove(folder_ / "model-00002-of-00003.safetensors");
  EXPECT_THAT(error(), HasSubstr("2 of the 3 shards"));
  fs::remove(folder_ / "model-00001-of-00003.safetensors");
  fs::remove(folder_ / "model-00003-of-00003.safetensors");
  fs::remove(folder_ / "golden.safetensors");
  EXPECT_THAT(error(), HasSubstr("holds no .safetensors file"));
  write_file(folder_ / "pytorch_model.bin", "x");
  EXPECT_THAT(error(), HasSubstr("pickled"));
}

TEST_F(DamagedCheckpoint, NothingIsReadBeforeEverythingFits) {
  // A wrong shape in one shard and a missing tensor in another are reported in one message.
  set_config("intermediate_size", 161);
  set_config("attention_bias", true);
  EXPECT_THAT(error(), AllOf(HasSubstr("missing ("), HasSubstr("wrong shape (18)")));
}

TEST_F(DamagedCheckpoint, HashDoesNotDependOnShardingButOnEveryByte) {
  const auto sharded = std::make_shared<Checkpoint>(folder_);
  const std::string before = sharded->weights_sha256();
  const TemporaryFolder single;
  save_weights(single.path() / "model.safetensors", load_weights(sharded, at::kBFloat16), {});
  fs::copy(folder_ / "config.json", single.path() / "config.json");
  EXPECT_EQ(Checkpoint(single.path()).weights_sha256(), before);

  std::fstream file(folder_ / "model-00001-of-00003.safetensors",
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('\x11');
  file.close();
  EXPECT_NE(Checkpoint(folder_).weights_sha256(), before);
}

}  // namespace
}  // namespace niah::models
