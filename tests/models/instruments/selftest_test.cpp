#include "models/instruments/selftest.h"

#include <ATen/ATen.h>

#include "models/checkpoint/checkpoint.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "tests/models/stand_in.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

SelftestOptions quick() { return {.chunk = 100, .long_tokens = 4500}; }

TEST(Selftest, PassesOnEveryArchitecture) {
  for (const char* prefix : {"hypenet", "jet", "qwen", "olmohybrid", "lfm2", "falconh1", "nemotron",
                             "granite4", "bamba", "minimax"})
    for (const std::string& folder : golden_models(prefix)) {
      if (!folder.starts_with(test_data().string())) continue;
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        const auto checks = selftest(*load_model(folder, dtype), quick());
        EXPECT_GE(checks.size(), 2U);
        for (const SelftestCheck& check : checks)
          EXPECT_TRUE(check.passed) << folder << " " << dtype << ": " << describe(check);
      }
    }
}

/// A model that forgets the text before the 128th token.
class Amnesiac : public StandIn {
 public:
  using StandIn::StandIn;
  at::Tensor layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                   const Pass& pass, std::int64_t rows) const override {
    if (pass.positions.front() == 128) states[0] = LayerState();
    return StandIn::layer(index, hidden, states, pass, rows);
  }
};

TEST(Selftest, FailsOnAModelThatForgetsAtABoundary) {
  for (const char* name : {"jet-tiny-bf16", "qwen3-tiny"})
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      Amnesiac model(load_model(test_data() / "models" / name, dtype));
      const auto checks = selftest(model, quick());
      const SelftestCheck& decode = checks.at(1);
      EXPECT_FALSE(decode.passed) << name << " " << dtype << ": " << describe(decode);
      EXPECT_TRUE(checks.at(0).passed) << "chunks of 100 never begin at 128";
    }
}

TEST(Selftest, NotANumberIsNoPass) {
  const auto checkpoint = std::make_shared<Checkpoint>(test_data() / "models" / "qwen3-tiny");
  WeightMap weights = load_weights(checkpoint, at::kFloat);
  at::Tensor& norm = weights.at("model.norm.weight");
  norm = at::full_like(norm, std::nan(""));
  const auto model = build_model(checkpoint->config(), "broken", weights);
  const auto checks = selftest(*model, quick());
  EXPECT_GE(checks.size(), 2U);
  for (const SelftestCheck& check : checks) EXPECT_FALSE(check.passed) << describe(check);
}

}  // namespace
}  // namespace niah::models
