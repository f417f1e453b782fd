// Rotary position embedding (RoPE), rotate-half pairing.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

namespace niah::models {

/// inv_freq[j] = theta^(-2j/D) as fp32, j = 0 .. D/2-1. [D/2]
at::Tensor rotary_frequencies(double theta, std::int64_t head_dim);

/// cos and sin of position * inv_freq, [T, D/2] fp32, for positions `position` .. `position`+T-1.
/// The angle is an fp32 product, as in the reference implementations, also far out.
std::pair<at::Tensor, at::Tensor> rotary_tables(const at::Tensor& frequencies,
                                                std::int64_t position, std::int64_t tokens);

/// Rotates x [B, H, T, D]: element j is paired with j + D/2. cos, sin [T, D/2] are rounded to x's
/// type.
at::Tensor apply_rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace niah::models
