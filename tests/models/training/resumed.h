// Whether a training that was saved and continued is the training that was not.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>

#include "models/training/trainer.h"

namespace niah::models {

/// Expects the same weights in both models, to the bit.
inline void expect_equal(const CausalLM& model, const CausalLM& expected) {
  const WeightMap weights = parameters_of(expected);
  for (const auto& [name, tensor] : parameters_of(model))
    EXPECT_TRUE(at::equal(tensor, weights.at(name))) << name;
}

/// Trains `whole` for `steps` steps and saves its state at `state` after the first `saved_at`;
/// `resumed` goes on from there.
inline void train_and_resume(Trainer& whole, Trainer& resumed, const std::filesystem::path& state,
                             std::int64_t saved_at, std::int64_t steps,
                             const std::function<Batch(std::int64_t)>& batch) {
  for (std::int64_t step = 0; step < steps; ++step) {
    if (step == saved_at) whole.save(state);
    whole.step(batch(step));
  }
  resumed.load(state);
  EXPECT_EQ(resumed.steps_done(), saved_at);
  for (std::int64_t step = saved_at; step < steps; ++step) resumed.step(batch(step));
}

}  // namespace niah::models
