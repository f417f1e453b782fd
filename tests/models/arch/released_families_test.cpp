#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "models/registry.h"
#include "tests/models/arch/released.h"

namespace niah::models {
namespace {

class ReleasedFamily : public testing::TestWithParam<Released> {};

TEST_P(ReleasedFamily, HasItsParametersTensorsAndLayers) { expect_released(GetParam()); }

/// The size in a name is rounded, up or down, at its last digit.
TEST_P(ReleasedFamily, HasTheSizeThatItsNameSays) {
  const Released& released = GetParam();
  static const std::regex size("-([0-9]+)(\\.[0-9]+)?B");
  std::smatch found;
  if (!std::regex_search(released.name, found, size)) return;  // Granite-4.0-H-Tiny
  const double said = std::stod(found[1].str() + found[2].str());
  const double digit = found[2].matched ? 0.1 : 1;
  EXPECT_LT(std::abs(static_cast<double>(released.parameters) / 1e9 - said), digit);
}

INSTANTIATE_TEST_SUITE_P(All, ReleasedFamily, testing::ValuesIn(released_families()),
                         [](const auto& info) { return test_name(info.param); });

TEST(ReleasedFamilies, OlmoHybridIsNotRotatedAndSaysSo) {
  ShapeSource source;
  const auto model = make_model(released_family("Olmo-Hybrid-7B").config, "olmo", source);
  EXPECT_EQ(model->info().settings.at("rope_theta"), "none");
  EXPECT_TRUE(model->info().warnings.empty());
}

}  // namespace
}  // namespace niah::models
