// A sweep for tests to modify, and the error that a modified sweep gives.
#pragma once

#include <string>

#include "harness/base/error.h"
#include "harness/config/sweep.h"
#include "tests/refusal.h"

namespace niah {

/// A small sweep with everything that most tests modify.
inline const std::string kSweep = R"(
name: demo
tasks: [s1, s2]
lengths: [8K, 4K]
samples: 10
models:
  - name: pair
    base: checkpoints/base
    sft: /abs/sft
    variants: [base, sft, qk, {method: qk-pro, lambda: 0.5}, {name: other, checkpoint: c}]
)";

inline SweepConfig parse(const std::string& text, const Overrides& overrides = {}) {
  return parse_sweep(text, "s.yaml", "/configs", overrides);
}

/// The error message of parsing `text`, or "accepted".
inline std::string refusal(const std::string& text, const Overrides& overrides = {}) {
  return refusal_of<UsageError>([&] { parse(text, overrides); });
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace niah
