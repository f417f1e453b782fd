// The sweeps in configs/.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "tests/harness/config/demo_sweep.h"
#include "tests/paths.h"

namespace niah {
namespace {

using testing::HasSubstr;

/// Expects every key of `json` in `text`, except lengths and fields of a checkpoint's config.
void expect_keys(const nlohmann::json& json, const std::string& text) {
  for (const auto& [key, value] : json.items()) {
    if (json.is_object() && key != "override" && !std::isdigit(key.front())) {
      EXPECT_THAT(text, HasSubstr(key + ":"));
    }
    if (value.is_structured() && key != "override") expect_keys(value, text);
  }
}

TEST(Sweep, TheReferenceShowsEveryKeyWithItsDefault) {
  const auto file = std::filesystem::path(NIAH_SOURCE_DIR) / "configs/reference.yaml";
  const std::string text = read_file(file, "test");
  const SweepConfig shown = read_sweep(file, {});
  expect_keys(nlohmann::json::parse(sweep_to_json(shown)), text);
  const SweepConfig least =
      parse("name: x\ntasks: [s1]\nlengths: [4K]\nsamples: 1\nmodels: [{name: m, base: b}]\n");
  const auto of = [](const SweepConfig& sweep, const char* part) {
    return nlohmann::json::parse(sweep_to_json(sweep)).value(part, nlohmann::json());
  };
  for (const char* part : {"runtime", "generation", "prompt", "seed", "protocol", "haystack"})
    EXPECT_EQ(of(shown, part), of(least, part)) << part;
}

TEST(Sweep, EveryShippedSweepIsValid) {
  const std::filesystem::path configs = std::filesystem::path(NIAH_SOURCE_DIR) / "configs";
  int read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(configs)) {
    const bool recipe = entry.path().parent_path().filename() == "zoo";
    if (entry.path().extension() != ".yaml" || recipe) continue;
    EXPECT_NO_THROW(read_sweep(entry.path(), {})) << entry.path();
    ++read;
  }
  EXPECT_GE(read, 21);
}

TEST(Sweep, EveryFamilysSweepComparesAPairAndRestoresIt) {
  const std::filesystem::path families =
      std::filesystem::path(NIAH_SOURCE_DIR) / "configs/families";
  for (const auto& entry : std::filesystem::directory_iterator(families)) {
    const SweepConfig sweep = read_sweep(entry.path(), {});
    EXPECT_EQ(sweep.name, entry.path().stem().string());
    ASSERT_EQ(sweep.models.size(), 1U) << entry.path();
    const std::vector<VariantConfig>& variants = sweep.models[0].variants;
    ASSERT_GE(variants.size(), 3U) << entry.path();
    EXPECT_EQ(variants[0].kind, VariantKind::kBase) << entry.path();
    EXPECT_EQ(variants[1].kind, VariantKind::kSft) << entry.path();
    for (std::size_t i = 2; i < variants.size(); ++i)
      EXPECT_EQ(variants[i].kind, VariantKind::kRestored) << entry.path();
  }
}

}  // namespace
}  // namespace niah
