#include "harness/run/variants.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "harness/base/error.h"
#include "models/registry.h"

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
  EXPECT_EQ(sizes({variant("a", "base", "qwen3-tiny"),
                   variant("b", "base", "qwen3-tiny", {{"rope_theta", 5e5}})}),
            (std::vector<std::size_t>{1, 1}));
}

TEST(GroupVariants, ModelsOfDifferentLayersStayApart) {
  EXPECT_EQ(sizes({variant("a", "base", "qwen3-tiny"), variant("b", "base", "hypenet-flags"),
                   variant("c", "base", "jet-tiny-bf16")}),
            (std::vector<std::size_t>{1, 1, 1}));
}

}  // namespace
}  // namespace niah
