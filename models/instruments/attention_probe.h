// Where the softmax layers look at the end of a prompt: does routing still reach the needle?
#pragma once

#include <cstdint>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

/// What one head of one softmax layer attends to.
struct HeadAttention {
  std::int64_t layer = 0, head = 0;
  double distance = 0;     ///< mean tokens between a query and what it attends to
  double needle_mass = 0;  ///< share of the final position's attention on the needle's tokens
};

/// What to look at.
struct WatchOptions {
  std::int64_t needle_begin = 0, needle_end = 0;  ///< the needle's tokens in the prompt
  std::int64_t queries = 32;  ///< the last so many positions, over which `distance` is the mean
  std::int64_t chunk = 1024;  ///< tokens of a prefill pass
};

/// Reads `ids` and says what every head of every softmax layer attends to at its end: layer by
/// layer, head by head. Attention weights are made for the last `queries` positions only, one head
/// at a time, in fp32. Throws UsageError when the needle does not lie inside of the prompt.
std::vector<HeadAttention> watch_attention(CausalLM& model, const std::vector<std::int64_t>& ids,
                                           const WatchOptions& options);

}  // namespace niah::models
