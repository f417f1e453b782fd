// The Gated DeltaNet mixer of Qwen3-Next and Qwen3.5, with one convolution over queries, keys and
// values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "models/arch/decoder.h"
#include "models/arch/delta_net.h"

namespace niah::models {

/// The layout of the projections to q, k, v, the gate z, the step sizes b and the decays a.
enum class DeltaProjections {
  kSplit,  ///< Qwen3.5: in_proj_qkv, and one tensor each for z, b and a
  kFused,  ///< Qwen3-Next: in_proj_qkvz and in_proj_ba, with rows grouped by key head
};

/// Sizes of the mixer.
struct GatedDeltaShape {
  DeltaNetShape net;
  DeltaProjections projections = DeltaProjections::kSplit;
  std::int64_t d = 0;
  double eps = 1e-6;  ///< of the norm
};

/// A mixer in which (q, k, v) go through a short convolution and silu, the delta rule
/// (delta_net.h), then norm and gate. Tensors besides the input projections: conv1d, A_log,
/// dt_bias, norm, out_proj.
std::shared_ptr<Mixer> make_gated_delta_mixer(const GatedDeltaShape& shape, TensorSource& source,
                                              const std::string& name);

}  // namespace niah::models
