// Does a model give the same result however a text is split into passes?
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

/// One way of reading a text, compared with another.
struct SelftestCheck {
  std::string what;  ///< "prefill in chunks of 512 = whole prefill, 1090 tokens"
  /// Largest and mean difference, in standard deviations of the values compared (logits or a
  /// layer's outputs).
  double max_difference = 0;
  double mean_difference = 0;
  /// Positions where the best token differs although the two best logits are clearly apart. In fp32
  /// there may be none, in bf16 one in 16.
  std::int64_t contradictions = 0;
  double tolerance = 0;  ///< for max_difference in fp32, for mean_difference in bf16
  bool passed = false;
};

/// One line: "ok      prefill in chunks of …: differs by 1.2e-05 at most, 2.1e-06 on average
/// (tolerance 1e-03)".
std::string describe(const SelftestCheck& check);

struct SelftestOptions {
  std::int64_t chunk = 512;          ///< prefill chunk in tokens, as in the run to be checked
  std::int64_t long_tokens = 33000;  ///< length of the text that recurrent layers read
};

/// Reads random token ids in several ways and compares the results. First the whole model: one
/// pass, against prefill in chunks, and against pieces with single tokens (decode) across every
/// boundary; logits are compared around the boundaries, which are 64 and 128 tokens (chunks of the
/// linear ops), one and two prefill chunks, and the sliding windows. Then the first and the last
/// recurrent layer of each kind alone: `long_tokens` tokens in large pieces, against small pieces
/// that end token by token, because a recurrent state must not drift past 32K.
std::vector<SelftestCheck> selftest(CausalLM& model, const SelftestOptions& options);

/// Rough number of FLOPs of selftest()'s matrix products, to decide whether it is worth its time
/// before a run.
double selftest_flops(const CausalLM& model, const SelftestOptions& options);

}  // namespace niah::models
