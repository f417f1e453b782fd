// What linear attention in chunks shares: lightning attention, the gated delta rule, Mamba-2.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace niah::models {

/// The states of so many chunks are one product with a triangular matrix, whose cost grows with
/// their square.
constexpr std::int64_t kMostChunksAtOnce = 16;

/// exp(-80) is far below the rounding of any sum it takes part in; smaller factors would soon be
/// denormal numbers, on which a product runs fifty times slower.
constexpr double kVanished = 80;

/// exp(x) for x <= 0, exactly zero where it would hardly count.
inline at::Tensor decay(const at::Tensor& x) { return at::exp(x).masked_fill(x.lt(-kVanished), 0); }

/// Tokens `begin` and on of x [B, H, T, ...] as chunks: [B, H, N, C, ...].
inline at::Tensor in_chunks(const at::Tensor& x, std::int64_t begin, std::int64_t chunks,
                            std::int64_t length) {
  return x.narrow(2, begin, chunks * length).unflatten(2, {chunks, length});
}

}  // namespace niah::models
