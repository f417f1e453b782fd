#include "models/arch/rope.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>
#include <numbers>

#include "harness/base/error.h"
#include "models/arch/layers.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using nlohmann::json;
using testing::HasSubstr;

Rope read(const json& config, const RopeRules& rules) {
  ConfigReader reader(config, "config.json");
  Rope rope = read_rope(reader, "config.json", rules);
  reader.finish();
  return rope;
}

std::string refusal(const json& config, const RopeRules& rules) {
  return refusal_of([&] { read(config, rules); });
}

const RopeRules kPartial{.head_dim = 24, .partial = 0.25, .may_be_partial = true};

TEST(Rope, RotatesThePartOfAHeadThatIsSaidAnywhere) {
  EXPECT_EQ(read(json::object(), kPartial).width, 6);
  EXPECT_EQ(read({{"partial_rotary_factor", 0.5}}, kPartial).width, 12);
  EXPECT_EQ(read({{"rope_parameters", {{"partial_rotary_factor", 0.75}}}}, kPartial).width, 18);
  EXPECT_EQ(read(json::object(), {.head_dim = 24}).width, 24);
  EXPECT_THAT(refusal({{"partial_rotary_factor", 0.5},
                       {"rope_parameters", {{"partial_rotary_factor", 0.75}}}},
                      kPartial),
              HasSubstr("partial_rotary_factor: 0.5 contradicts"));
  EXPECT_THAT(refusal({{"partial_rotary_factor", 0.3}}, kPartial), HasSubstr("7 of the 24"));
  EXPECT_THAT(refusal({{"partial_rotary_factor", 0.5}}, {.head_dim = 24}),
              HasSubstr("all of a head is rotated"));
}

TEST(Rope, FieldsForImagesAreNoErrorWhereTheyBelong) {
  const json config = {{"rope_parameters", {{"mrope_section", {4, 2, 2}}}}};
  RopeRules rules{.head_dim = 24};
  EXPECT_THAT(refusal(config, rules), HasSubstr("mrope_section"));
  rules.has_mrope = true;
  EXPECT_EQ(read(config, rules).theta, 10000);
}

TEST(Rope, YarnsFactorIsInTheTables) {
  const json yarn = {{"rope_type", "yarn"}, {"factor", 4.0}, {"rope_theta", 1e4}};
  const Rope rope = read_rope(yarn, "config.json", {.head_dim = 24, .max_positions = 64});
  const auto [cos, sin] = RotaryEmbedding(rope, at::kCPU).tables({0}, 1);
  EXPECT_NEAR(cos.max().item<float>(), 0.1 * std::log(4.0) + 1, 1e-6);
}

TEST(Rotary, Llama3SlowsDownWhatTurnsRarely) {
  // With 4 dimensions the first pair's frequency is 1, the second's 0.01.
  Llama3Scaling scaling{.factor = 8, .original_positions = 2 * std::numbers::pi * 2.5};
  const auto frequency = [&](std::int64_t pair) {
    return llama3_frequencies(1e4, 4, scaling)[pair].item<float>();
  };
  EXPECT_NEAR(frequency(0), 0.5 + 0.5 / 8, 1e-6);  // 2.5 turns, halfway from 1 to 4
  EXPECT_NEAR(frequency(1), 0.01 / 8, 1e-8);
  scaling.original_positions *= 100;
  EXPECT_EQ(frequency(0), 1);
  EXPECT_NEAR(frequency(1), 0.01 * (0.5 + 0.5 / 8), 1e-8);
}

TEST(Rotary, LeavesTheRestOfAHeadAsItIs) {
  torch::manual_seed(1);
  for (const std::int64_t width : {6, 16, 32}) {
    const at::Tensor x = torch::randn({2, 3, 5, 40});
    const auto [cos, sin] = rotary_tables(rotary_frequencies(1e4, width), 7, 5);
    const at::Tensor turned = apply_rotary(x, cos, sin);
    EXPECT_TRUE(at::equal(turned.narrow(-1, width, 40 - width), x.narrow(-1, width, 40 - width)));
    EXPECT_TRUE(at::equal(turned.narrow(-1, 0, width),
                          apply_rotary(x.narrow(-1, 0, width).contiguous(), cos, sin)));
    EXPECT_GT((turned - x).narrow(-1, 0, width).abs().max().item<float>(), 0.1);
  }
}

TEST(Rotary, RoundsOnceWhereAskedTo) {
  torch::manual_seed(2);
  const at::Tensor x = torch::randn({1, 2, 9, 16}).to(at::kBFloat16);
  Pass pass{{100}, 9, {}, {}};
  std::tie(pass.cos, pass.sin) = rotary_tables(rotary_frequencies(1e4, 16), 100, 9);
  const at::Tensor exact = apply_rotary(x.to(at::kFloat), pass.cos, pass.sin);
  const at::Tensor once = rotate(x, pass, {.rounds_once = true});
  EXPECT_TRUE(at::equal(once, exact.to(at::kBFloat16)));
  EXPECT_FALSE(at::equal(once, rotate(x, pass)));
}

TEST(Rotary, WindowLayersMayHaveTablesOfTheirOwn) {
  torch::manual_seed(3);
  const at::Tensor x = torch::randn({1, 2, 4, 16});  // the last 4 of 9
  Pass pass{{0}, 9, {}, {}};
  std::tie(pass.cos, pass.sin) = rotary_tables(rotary_frequencies(1e6, 16), 0, 9);
  std::tie(pass.window_cos, pass.window_sin) = rotary_tables(rotary_frequencies(1e2, 16), 0, 9);
  const auto [cos, sin] = rotary_tables(rotary_frequencies(1e2, 16), 5, 4);
  EXPECT_TRUE(at::equal(rotate(x, pass, {.by_window_tables = true}), apply_rotary(x, cos, sin)));
}

}  // namespace
}  // namespace niah::models
