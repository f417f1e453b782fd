// Shared by the chunked forms of lightning attention, the gated delta rule and Mamba-2.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace niah::models {

/// Maximum number of chunks whose states are computed in one product with a triangular matrix, the
/// cost of which is quadratic in their number.
constexpr std::int64_t kMostChunksAtOnce = 16;

/// Decays below exp(-80) are treated as zero. They are far below the rounding errors of the sums
/// they enter, and smaller factors would become denormal numbers, which make a product fifty times
/// slower.
constexpr double kVanished = 80;

/// exp(x) for x <= 0; exactly zero for x < -kVanished.
inline at::Tensor decay(const at::Tensor& x) { return at::exp(x).masked_fill(x.lt(-kVanished), 0); }

/// N = `chunks` chunks of C = `length` tokens of x [B, H, T, ...], from token `begin` on:
/// [B, H, N, C, ...].
inline at::Tensor in_chunks(const at::Tensor& x, std::int64_t begin, std::int64_t chunks,
                            std::int64_t length) {
  return x.narrow(2, begin, chunks * length).unflatten(2, {chunks, length});
}

}  // namespace niah::models
