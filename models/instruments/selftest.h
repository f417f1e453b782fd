// Does a model give the same answer however a text is cut into passes?
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

/// One way of reading a text, compared with another.
struct SelftestCheck {
  std::string what;  ///< "prefill in chunks of 512 = whole prefill, 1090 tokens"
  /// Largest and mean difference, in standard deviations of what is compared (logits, or a layer's
  /// output).
  double max_difference = 0;
  double mean_difference = 0;
  /// Positions where the best token differs although the two best logits are clearly apart.
  std::int64_t contradictions = 0;
  double tolerance = 0;  ///< for max_difference in fp32, for mean_difference in bf16
  bool passed = false;
};

/// "ok      prefill in chunks of …: differs by at most 1.2e-05, tolerance 1e-03".
std::string describe(const SelftestCheck& check);

/// What a selftest does.
struct SelftestOptions {
  std::int64_t chunk = 512;          ///< prefill chunk of the run that it stands for
  std::int64_t long_tokens = 33000;  ///< text for the recurrent layers
};

/// Reads random ids with `model`: whole against in chunks, and against chunks cut around every
/// boundary with single tokens in between (decode), comparing logits around the boundaries: 64 and
/// 128 tokens (inside the linear ops), the prefill chunk and its double, sliding windows. Then the
/// first and the last linear layer of each kind read `long_tokens` tokens in large and in small
/// pieces, ending token by token: a recurrent state must not drift past 32K.
std::vector<SelftestCheck> selftest(CausalLM& model, const SelftestOptions& options);

/// FLOPs of the matrix products of selftest(), roughly: whether it is worth its time before a run.
double selftest_flops(const CausalLM& model, const SelftestOptions& options);

}  // namespace niah::models
