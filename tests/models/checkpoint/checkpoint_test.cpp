#include "models/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/registry.h"
#include "tests/models/support.h"

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

TEST(TiedHead, PresentAndEqualIsDroppedPresentAndDifferentIsRefused) {
  const nlohmann::json tied = {{"tie_word_embeddings", true}};
  const at::Tensor embedding = torch::randn({4, 2});
  WeightMap weights = {{"model.embed_tokens.weight", embedding},
                       {"lm_head.weight", embedding.clone()}};
  resolve_tied_head(tied, "x", weights);
  EXPECT_FALSE(weights.contains("lm_head.weight"));
  weights["lm_head.weight"] = embedding + 1;
  EXPECT_THROW(resolve_tied_head(tied, "x", weights), DataError);
  resolve_tied_head({{"tie_word_embeddings", false}}, "x", weights);
  EXPECT_TRUE(weights.contains("lm_head.weight"));
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
  // A wrong shape in one shard and a missing tensor elsewhere come in one message.
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
