// Gated DeltaNet (arXiv 2412.06464) between its projections: what Qwen3-Next, Qwen3.5, OLMo Hybrid
// and Kimi Linear share.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/arch/layers.h"
#include "models/checkpoint/config_reader.h"
#include "models/mixer_info.h"

namespace niah::models {

/// What a layer of such a model is.
enum class DeltaHybridLayer { kSoftmax, kDelta };

/// The kinds of `count` layers by layer_types; where that is not given, every `interval`-th
/// attends.
std::vector<DeltaHybridLayer> read_delta_hybrid_layers(ConfigReader& reader, std::int64_t count,
                                                       std::int64_t interval);

/// Sizes: value heads that follow each other share a key head.
struct DeltaNetShape {
  std::int64_t key_heads, value_heads, key_dim, value_dim, taps;
  bool doubles_beta = false;  ///< beta up to 2, so that a state's eigenvalues may be negative

  std::int64_t keys() const { return key_heads * key_dim; }
  std::int64_t values() const { return value_heads * value_dim; }
  /// Of the convolution: all queries, all keys, all values.
  std::int64_t channels() const { return 2 * keys() + values(); }
};

/// Queries, keys and values [B, T, channels], convolved and activated, and step sizes b and decays
/// a [B, T, Vh] as they are projected → the last `rows` outputs [B, rows, Vh, V] in qkv's type.
/// With A_log, Vh numbers, and dt_bias [Vh]:  beta = sigmoid(b), g = -exp(A_log) softplus(a +
/// dt_bias); queries and keys are brought to length 1, queries then times K^-1/2. In fp32 but for
/// the sigmoid. With a [B, T, Vh * K] and dt_bias [Vh * K] every channel decays on its own. Takes
/// all T positions into `states`.
at::Tensor delta_net(const DeltaNetShape& shape, const at::Tensor& qkv, const at::Tensor& b,
                     const at::Tensor& a, const at::Tensor& a_log, const at::Tensor& dt_bias,
                     const LayerStates& states, std::int64_t rows);

/// norm(o) * silu(gate) a head: o [B, R, Vh, V], gate [B, R, Vh * V] → [B, R, Vh * V]. The norm's
/// result is rounded before the weight, after it, and after the product with the gate, whose silu
/// is in fp32.
at::Tensor gated_norm(const at::Tensor& o, const RmsNorm& norm, const at::Tensor& gate);

/// Adds what changes the result to ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const DeltaNetShape& shape);

/// A mixer of this kind without its parts.
MixerInfo delta_net_info(const DeltaNetShape& shape);

}  // namespace niah::models
