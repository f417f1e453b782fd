// How fast a group of variants reads and answers on this machine.
#pragma once

#include <cstdint>

#include "harness/engine/local/loaded_variants.h"

namespace niah {

/// Seconds of one operation at position 0 and at `far`; in between and beyond, linear.
struct SpeedLine {
  double at_start = 0;
  double at_far = 0;
  std::int64_t far = 1;
  double at(std::int64_t position) const;
};

/// Measured on this machine, on as many threads at once as the run will have.
struct Throughput {
  static constexpr std::int64_t kAnswerTokens = 8;
  SpeedLine chunk;   ///< a whole chunk for every variant
  SpeedLine answer;  ///< kAnswerTokens tokens for one variant, and the logits of all
  SpeedLine token;   ///< one token for one variant, and its logits
};

/// Times the group's passes at the start of a text and after `far` tokens of it, on `workers`
/// threads at once as the run will. Takes a second or two for a small model, and for a large one a
/// little longer than reading a few chunks. The KV cache of `far` tokens must fit in memory.
Throughput measure_throughput(const VariantGroup& group, std::int64_t chunk, std::int64_t far,
                              std::int64_t workers);

}  // namespace niah
