// A gated delta net's mixer with one convolution over queries, keys and values, as Qwen3-Next and
// Qwen3.5 have it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "models/arch/decoder.h"
#include "models/arch/delta_net.h"

namespace niah::models {

/// Which rows of which tensor make q, k, v, the gate z, the step sizes b and the decays a.
enum class DeltaProjections {
  kSplit,  ///< Qwen3.5's: in_proj_qkv, and one each for z, b and a
  kFused,  ///< Qwen3-Next's: in_proj_qkvz and in_proj_ba, their rows in groups, one a key head
};

struct GatedDeltaShape {
  DeltaNetShape net;
  DeltaProjections projections = DeltaProjections::kSplit;
  std::int64_t d = 0;
  double eps = 1e-6;  ///< of the norm
};

/// (q, k, v) through a short convolution and silu, the delta rule (delta_net.h), then norm and
/// gate. Tensors beside the input projections: conv1d, A_log, dt_bias, norm, out_proj.
std::shared_ptr<Mixer> make_gated_delta_mixer(const GatedDeltaShape& shape, TensorSource& source,
                                              const std::string& name);

}  // namespace niah::models
