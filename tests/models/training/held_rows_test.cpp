#include "models/training/held_rows.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"
#include "models/registry.h"
#include "models/training/trainer.h"
#include "tests/models/support.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

/// A fresh model, and its weights as they are at first.
class HeldRowsTest : public testing::Test {
 protected:
  HeldRowsTest() {
    RandomSource source(/*seed=*/2, /*layers=*/3);
    const auto config = parse_json_file(test_data() / "models/hypenet-flags/config.json", "test");
    model_ = make_model(config, "fresh", source);
    for (const auto& [name, tensor] : parameters_of(*model_)) before_.emplace(name, tensor.clone());
  }

  std::shared_ptr<CausalLM> model_;
  WeightMap before_;
};

TEST_F(HeldRowsTest, ArePutBackAndNothingElseIs) {
  HeldRows held(*model_, {WeightPart::kKey});
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : parameters_of(*model_)) tensor.mul_(2);
  held.put_back();
  const auto drift = part_drift(*model_, before_);
  EXPECT_GE(drift.size(), 6U);
  for (const auto& [part, moved] : drift) EXPECT_NEAR(moved, part == "k" ? 0 : 1, 1e-6) << part;
}

TEST_F(HeldRowsTest, NamePartsThatTheModelLacks) {
  EXPECT_THAT(refusal_of<UsageError>([&] { HeldRows(*model_, {WeightPart::kExperts}); }),
              testing::HasSubstr("no part 'experts'; there are: q, k, "));
}

}  // namespace
}  // namespace niah::models
