// Rotary position embedding (RoPE) with rotate-half pairing.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace niah::models {

/// inv_freq[j] = theta^(-2j/D) for j = 0 .. D/2-1: [D/2] fp32.
at::Tensor rotary_frequencies(double theta, std::int64_t head_dim);

/// YaRN (arXiv 2309.00071): frequencies that make fewer than `beta_slow` turns within the original
/// context are divided by `factor`, those that make more than `beta_fast` turns are kept, with a
/// linear ramp over the dimensions in between. A factor on cos and sin compensates for the longer
/// context.
struct YarnScaling {
  double factor = 1;
  double original_positions = 0;  ///< context length of the original training
  double beta_fast = 32, beta_slow = 1;
  double attention_factor = 1;  ///< factor on cos and sin
  bool truncate = true;         ///< whether the ends of the ramp are rounded to whole dimensions

  bool operator==(const YarnScaling&) const = default;
};
/// inv_freq with YaRN, [D/2] fp32; attention_factor is not applied.
at::Tensor yarn_frequencies(double theta, std::int64_t head_dim, const YarnScaling& scaling);

/// The scaling of Llama 3.1: frequencies that make fewer than `low` turns within the original
/// context are divided by `factor`, those that make more than `high` turns are kept, with a ramp
/// linear in turns in between.
struct Llama3Scaling {
  double factor = 1;
  double low = 1, high = 4;
  double original_positions = 0;  ///< context length of the original training

  bool operator==(const Llama3Scaling&) const = default;
};
/// inv_freq with this scaling, [D/2] fp32.
at::Tensor llama3_frequencies(double theta, std::int64_t head_dim, const Llama3Scaling& scaling);

/// cos and sin of position * inv_freq, [T, D/2] fp32, for positions `position` .. `position`+T-1.
/// The angle is computed in fp32, as in the reference implementations, even at large positions.
std::pair<at::Tensor, at::Tensor> rotary_tables(const at::Tensor& frequencies,
                                                std::int64_t position, std::int64_t tokens);
/// The same for sequences at different positions: [B, T, D/2], or [T, D/2] for a single sequence.
std::pair<at::Tensor, at::Tensor> rotary_tables(const at::Tensor& frequencies,
                                                const std::vector<std::int64_t>& positions,
                                                std::int64_t tokens);

/// Positions as fp32 [B, T] on a device: T = `tokens` consecutive ones from each entry of `first`.
/// Does not wait for the device.
at::Tensor positions_on(at::Device device, const std::vector<std::int64_t>& first,
                        std::int64_t tokens);

/// Rotates the first R of the D dimensions of x [B, H, T, D], pairing j with j + R/2; the others
/// stay as they are. cos and sin are [T, R/2] or [B, T, R/2], and are rounded to x's type.
at::Tensor apply_rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace niah::models
