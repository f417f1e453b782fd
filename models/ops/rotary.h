// Rotary position embedding (RoPE), rotate-half pairing.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace niah::models {

/// inv_freq[j] = theta^(-2j/D) as fp32, j = 0 .. D/2-1. [D/2]
at::Tensor rotary_frequencies(double theta, std::int64_t head_dim);

/// YaRN (arXiv 2309.00071): frequencies that turn less than `beta_slow` times in the original
/// context are slowed down by `factor`, those above `beta_fast` turns are kept, between them lies a
/// ramp; and a factor on cos and sin makes up for the longer context.
struct YarnScaling {
  double factor = 1;
  double original_positions = 0;  ///< context of the original training
  double beta_fast = 32, beta_slow = 1;
  double attention_factor = 1;  ///< on cos and sin
  bool truncate = true;         ///< the ramp's ends are whole numbers

  bool operator==(const YarnScaling&) const = default;
};
at::Tensor yarn_frequencies(double theta, std::int64_t head_dim, const YarnScaling& scaling);

/// Llama 3.1's scaling: frequencies that turn less than `low` times in the original context are
/// slowed down by `factor`, those above `high` turns are kept, between them lies a ramp over turns.
struct Llama3Scaling {
  double factor = 1;
  double low = 1, high = 4;
  double original_positions = 0;  ///< context of the original training

  bool operator==(const Llama3Scaling&) const = default;
};
at::Tensor llama3_frequencies(double theta, std::int64_t head_dim, const Llama3Scaling& scaling);

/// cos and sin of position * inv_freq, [T, D/2] fp32, for positions `position` .. `position`+T-1.
/// The angle is an fp32 product, as in the reference implementations, also far out.
std::pair<at::Tensor, at::Tensor> rotary_tables(const at::Tensor& frequencies,
                                                std::int64_t position, std::int64_t tokens);
/// The same for sequences at different positions: [B, T, D/2]; [T, D/2] for a single one.
std::pair<at::Tensor, at::Tensor> rotary_tables(const at::Tensor& frequencies,
                                                const std::vector<std::int64_t>& positions,
                                                std::int64_t tokens);

/// The positions as fp32 [B, T] on a device: `tokens` from each of `first`. Nothing waits for the
/// device.
at::Tensor positions_on(at::Device device, const std::vector<std::int64_t>& first,
                        std::int64_t tokens);

/// Rotates x [B, H, T, D]: element j is paired with j + R/2, where cos and sin, [T, R/2] or
/// [B, T, R/2], are for the first R of the D elements; the others stay as they are. cos and sin are
/// rounded to x's type.
at::Tensor apply_rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace niah::models
