#include "harness/engine/local/loaded_variants.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/sha256.h"
#include "harness/version.h"
#include "models/checkpoint/checkpoint.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "tests/models/tiny_adapter.h"
#include "tests/paths.h"
#include "tests/refusal.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

LoadedVariant variant(const std::string& model, const std::string& name, const char* folder,
                      const nlohmann::json& override = nullptr) {
  const auto path = std::filesystem::path(NIAH_TEST_DATA) / "models" / folder;
  return {{model + name, model, name, ""}, models::load_model(path, at::kFloat, override)};
}

std::vector<std::size_t> sizes(const std::vector<LoadedVariant>& variants) {
  std::vector<std::size_t> sizes;
  for (const VariantGroup& group : group_variants(variants)) sizes.push_back(group.size());
  return sizes;
}

TEST(RequireDistinct, NamesBothVariantsOfOneFingerprint) {
  std::vector<LoadedVariant> variants(3);
  variants[0].info = {"f1", "pair", "base", ""};
  variants[1].info = {"f2", "pair", "sft", ""};
  variants[2].info = {"f1", "other", "copy", ""};
  try {
    require_distinct(variants);
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("'pair base' and 'other copy' are the same"),
              std::string::npos)
        << error.what();
  }
  variants[2].info.fingerprint = "f3";
  EXPECT_NO_THROW(require_distinct(variants));
}

TEST(GroupVariants, OneModelsVariantsReadTogether) {
  EXPECT_EQ(sizes({variant("a", "base", "qwen3-tiny"), variant("a", "same", "qwen3-tiny")}),
            (std::vector<std::size_t>{2}));
}

TEST(GroupVariants, EqualTensorsThatAreComputedWithDifferentlyStayApart) {
  EXPECT_EQ(
      sizes({variant("a", "base", "qwen3-tiny"),
             variant("b", "base", "qwen3-tiny", {{"rope_parameters", {{"rope_theta", 5e5}}}})}),
      (std::vector<std::size_t>{1, 1}));
}

TEST(GroupVariants, ModelsOfDifferentLayersStayApart) {
  EXPECT_EQ(sizes({variant("a", "base", "qwen3-tiny"), variant("b", "base", "hypenet-flags"),
                   variant("c", "base", "jet-tiny-bf16")}),
            (std::vector<std::size_t>{1, 1, 1}));
}

/// A tokenizer with a given number of ids, of which those from `added` on are added tokens.
class Ids : public models::Tokenizer {
 public:
  Ids(models::TokenId count, models::TokenId added) : count_(count), added_(added) {}
  std::vector<models::TokenId> encode(std::string_view) const override { return {0}; }
  bool is_seam_exact(std::string_view, std::string_view) const override { return false; }
  std::string decode(const std::vector<models::TokenId>&) const override { return ""; }
  bool knows(models::TokenId id) const override { return id >= 0 && id < count_; }
  std::int64_t vocab_size() const override { return count_; }
  const std::vector<models::TokenId>& prefix_ids() const override { return none_; }
  const std::vector<models::TokenId>& suffix_ids() const override { return none_; }
  std::optional<models::TokenId> eos_id() const override { return std::nullopt; }
  std::string description() const override { return "ids"; }
  std::string sha256() const override { return ""; }
  models::TokenId largest_text_id() const override { return added_ - 1; }

 private:
  models::TokenId count_, added_;
  std::vector<models::TokenId> none_;
};

std::string vocabulary_refusal(const Ids& tokenizer, const std::vector<models::TokenId>& framed,
                               std::int64_t rows) {
  return refusal_of(
      [&] { require_vocabulary(tokenizer, "t.json", framed, rows, "checkpoints/small"); });
}

TEST(RequireVocabulary, IdsWithoutAnEmbeddingAreRefusedWithBothSizes) {
  EXPECT_THAT(
      vocabulary_refusal(Ids(703, 700), {0}, 128),
      testing::AllOf(testing::HasSubstr("ids up to 699"), testing::HasSubstr("128 rows"),
                     testing::HasSubstr("t.json"), testing::HasSubstr("checkpoints/small")));
  EXPECT_EQ(vocabulary_refusal(Ids(703, 700), {0}, 703), "accepted");
  EXPECT_EQ(vocabulary_refusal(Ids(703, 700), {0}, 1024), "accepted");  // padded, as is common
  // Added tokens beyond the embedding matter only if a prompt contains them.
  EXPECT_EQ(vocabulary_refusal(Ids(703, 700), {0, 5}, 700), "accepted");
  EXPECT_THAT(vocabulary_refusal(Ids(703, 700), {0, 702}, 700),
              testing::HasSubstr("ids up to 702"));
}

TEST(LengthWarning, NamesBothLengths) {
  models::ModelInfo info;
  EXPECT_EQ(length_warning(info, 1 << 20), "");
  info.max_positions = 16384;
  EXPECT_EQ(length_warning(info, 16384), "");
  EXPECT_THAT(length_warning(info, 32768),
              testing::AllOf(testing::HasSubstr("32768"), testing::HasSubstr("16384"),
                             testing::HasSubstr("max_position_embeddings")));
  info.scales_positions = true;
  EXPECT_EQ(length_warning(info, 32768), "");
}

class LoadVariants : public testing::Test {
 protected:
  LoadVariants() {
    const auto tiny = std::filesystem::path(NIAH_TEST_DATA) / "models/qwen3-tiny";
    std::filesystem::copy(tiny, base_);
    std::filesystem::copy(tiny, sft_);
  }
  void write_config(const std::filesystem::path& folder,
                    const std::function<void(nlohmann::json&)>& change) const {
    auto config = models::parse_json_file(base_ / "config.json", "test");
    change(config);
    write_file(folder / "config.json", config.dump());
  }
  std::vector<std::string> fingerprints() const {
    ModelConfig model;
    model.name = "pair";
    model.base = base_;
    model.sft = sft_;
    model.variants.resize(2);
    model.variants[0].name = "base";
    model.variants[1].name = "sft";
    model.variants[1].kind = VariantKind::kSft;
    std::vector<std::string> all;
    for (const LoadedVariant& variant :
         load_variants(model, at::kFloat, at::kCPU, {"tokenizer", "fp32", "greedy"}))
      all.push_back(variant.info.fingerprint);
    return all;
  }
  TemporaryFolder temporary_;
  std::filesystem::path base_ = temporary_.path() / "base", sft_ = temporary_.path() / "sft";
};

TEST_F(LoadVariants, PairsWhatComputesTheSameAndKeepsFingerprints) {
  const std::vector<std::string> before = fingerprints();
  EXPECT_EQ(before[0], before[1]);
  // Existing run folders depend on this formula: see FingerprintBasis.
  const models::Checkpoint checkpoint(base_);
  auto config = checkpoint.config();
  config.erase("dtype");
  config.erase("transformers_version");
  EXPECT_EQ(before[0], sha256_hex(fmt::format("niah {}\n{}\n{}\n\ntokenizer\nfp32\ngreedy",
                                              kVersion, checkpoint.weights_sha256(), config.dump()))
                           .substr(0, 16));
  write_config(sft_, [](auto& fields) { fields["use_cache"] = false; });
  EXPECT_EQ(fingerprints()[0], before[0]);
  write_config(sft_, [](auto& fields) { fields["rms_norm_eps"] = 1e-3; });
  EXPECT_THROW(fingerprints(), DataError);
}

TEST_F(LoadVariants, KnowACheckpointByTheHashOfItsWeightsAndARestorationByNone) {
  ModelConfig model;
  model.name = "pair";
  model.base = base_;
  model.sft = sft_;
  model.variants.resize(2);
  model.variants[1].kind = VariantKind::kRestored;
  const std::vector<LoadedVariant> loaded =
      load_variants(model, at::kFloat, at::kCPU, {"tokenizer", "fp32", "greedy"});
  EXPECT_EQ(loaded[0].info.weights_sha256, models::Checkpoint(base_).weights_sha256());
  EXPECT_EQ(loaded[1].info.weights_sha256, "");
}

TEST_F(LoadVariants, FurtherEndsOfTextAreAnotherVariant) {
  const std::vector<std::string> before = fingerprints();
  write_file(sft_ / "generation_config.json", R"({"eos_token_id": 1, "do_sample": true})");
  EXPECT_EQ(fingerprints(), before);
  write_file(sft_ / "generation_config.json", R"({"eos_token_id": [1, 2]})");
  EXPECT_EQ(fingerprints()[0], before[0]);
  EXPECT_NE(fingerprints()[1], before[1]);
}

class AdapterVariants : public testing::Test {
 protected:
  AdapterVariants() {
    first_.add_factors("base_model.model.model.layers.0.self_attn.q_proj", 64, 64);
    second_.add_factors("base_model.model.model.layers.1.mlp.down_proj", 64, 96);
    first_.write();
    second_.write();
  }
  /// base, the first adapter, the second one, and the first one restored.
  std::vector<LoadedVariant> load(at::ScalarType dtype) const {
    ModelConfig model;
    model.name = "pair";
    model.base = first_.folder_;
    model.sft = first_.path();
    model.variants.resize(4);
    model.variants[1].kind = VariantKind::kSft;
    model.variants[2].kind = VariantKind::kCheckpoint;
    model.variants[2].checkpoint = {first_.folder_, second_.adapter_};
    model.variants[3].kind = VariantKind::kRestored;
    return load_variants(model, dtype, at::kCPU, {"tokenizer", "arithmetic", "greedy"});
  }
  models::TinyAdapter first_{models::tiny_llama()}, second_{models::tiny_llama()};
};

/// The parameters that do not share memory with those of `base`.
std::vector<std::string> own_parameters(const LoadedVariant& variant, const LoadedVariant& base) {
  std::vector<std::string> own;
  const auto others = base.model->named_parameters();
  for (const auto& item : variant.model->named_parameters())
    if (item.value().const_data_ptr() != others.find(item.key())->const_data_ptr())
      own.push_back(item.key());
  return own;
}

TEST_F(AdapterVariants, HoldTheirBaseOnce) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const std::vector<LoadedVariant> loaded = load(dtype);
    EXPECT_THAT(own_parameters(loaded[1], loaded[0]),
                testing::ElementsAre("model.layers.0.self_attn.q_proj.weight"));
    EXPECT_THAT(own_parameters(loaded[2], loaded[0]),
                testing::ElementsAre("model.layers.1.mlp.down_proj.weight"));
    EXPECT_THAT(own_parameters(loaded[3], loaded[0]), testing::IsEmpty());
  }
}

TEST_F(AdapterVariants, HaveFingerprintsOfWhatTheyDo) {
  const auto fingerprints = [&] {
    std::vector<std::string> all;
    for (const LoadedVariant& variant : load(at::kFloat)) all.push_back(variant.info.fingerprint);
    return all;
  };
  const auto before = fingerprints();
  EXPECT_EQ(std::set<std::string>(before.begin(), before.end()).size(), 4U);
  first_.config_["peft_version"] = "0.21.2";  // has no effect on the weights
  first_.write();
  EXPECT_EQ(fingerprints(), before);
  first_.config_["lora_alpha"] = 9;
  first_.write();
  const auto after = fingerprints();
  EXPECT_EQ(after[0], before[0]);
  EXPECT_NE(after[1], before[1]);
  EXPECT_EQ(after[2], before[2]);
}

}  // namespace
}  // namespace niah
