// What the softmax layers attend to at the end of a prompt: does attention still reach the needle?
#pragma once

#include <cstdint>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

/// What one head of one softmax layer attends to.
struct HeadAttention {
  std::int64_t layer = 0, head = 0;
  double distance = 0;     ///< attention-weighted mean distance from query to key, in tokens
  double needle_mass = 0;  ///< share of the final position's attention on the needle's tokens
};

/// What to look at.
struct WatchOptions {
  std::int64_t needle_begin = 0, needle_end = 0;  ///< the needle's tokens in the prompt
  std::int64_t queries = 32;  ///< number of last positions to average `distance` over
  std::int64_t chunk = 1024;  ///< tokens per prefill pass
};

/// Reads the prompt `ids` and returns what every head of every softmax layer attends to at its end,
/// layer by layer, head by head. Attention weights are computed for the last `queries` positions
/// only, one head at a time, in fp32. Throws UsageError if the needle is not within the prompt.
std::vector<HeadAttention> watch_attention(CausalLM& model, const std::vector<std::int64_t>& ids,
                                           const WatchOptions& options);

}  // namespace niah::models
