// Gated DeltaNet (arXiv 2412.06464) without its projections: the part that Qwen3-Next, Qwen3.5,
// OLMo Hybrid and Kimi Linear share.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/arch/layers.h"
#include "models/checkpoint/config_reader.h"
#include "models/mixer_info.h"

namespace niah::models {

/// The kinds of layers in such models.
enum class DeltaHybridLayer { kSoftmax, kDelta };

/// The kinds of `count` layers by layer_types; if that is absent, every `interval`-th is softmax.
std::vector<DeltaHybridLayer> read_delta_hybrid_layers(ConfigReader& reader, std::int64_t count,
                                                       std::int64_t interval);

/// Sizes; consecutive value heads share a key head.
struct DeltaNetShape {
  std::int64_t key_heads, value_heads, key_dim, value_dim, taps;
  bool doubles_beta = false;  ///< beta up to 2, which allows negative eigenvalues

  std::int64_t keys() const { return key_heads * key_dim; }
  std::int64_t values() const { return value_heads * value_dim; }
  /// Channels of the convolution: all queries, then all keys, then all values.
  std::int64_t channels() const { return 2 * keys() + values(); }
};

/// The delta rule with Vh value heads of V and keys of K. `qkv` [B, T, channels]: queries, keys and
/// values after convolution and activation; `b` (for step sizes) and `a` (for decays) [B, T, Vh]:
/// outputs of their projections → the last `rows` outputs [B, rows, Vh, V] in qkv's type. With
/// A_log (Vh numbers) and dt_bias [Vh]:  beta = sigmoid(b), log decay g = -exp(A_log) softplus(a +
/// dt_bias); queries and keys are scaled to norm 1, queries also by K^-1/2. All but the sigmoid is
/// in fp32. With a [B, T, Vh * K] and dt_bias [Vh * K], each channel has its own decay. Adds all T
/// positions to `states`.
at::Tensor delta_net(const DeltaNetShape& shape, const at::Tensor& qkv, const at::Tensor& b,
                     const at::Tensor& a, const at::Tensor& a_log, const at::Tensor& dt_bias,
                     const LayerStates& states, std::int64_t rows);

/// norm(o) * silu(gate) per head: o [B, R, Vh, V], gate [B, R, Vh * V] → [B, R, Vh * V]. Rounded
/// where `norm` rounds and after the product with the gate, whose silu is in fp32.
at::Tensor gated_norm(const at::Tensor& o, const RmsNorm& norm, const at::Tensor& gate);

/// Adds the fields that affect the result to ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const DeltaNetShape& shape);

/// The description of such a mixer; its `parts` are empty.
MixerInfo delta_net_info(const DeltaNetShape& shape);

}  // namespace niah::models
