// Lightning attention: linear attention with a fixed exponential decay per head.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace niah::models {

/// Decay slopes [heads] fp32 by the rule of ALiBi: 2^(-8(h+1)/heads) if `heads` is a power of two;
/// otherwise the slopes for the largest power of two p < heads, then every other slope for 2p.
at::Tensor lightning_slopes(std::int64_t heads);

/// Outputs for T tokens, and the state after them.
struct LightningResult {
  at::Tensor output;  ///< [B, H, T, D] in the query's type
  at::Tensor state;   ///< [B, H, D, D] fp32, keys by values
};

/// S_t = exp(-slope) S_{t-1} + k_t^T v_t;  o_t = scale * q_t S_t, all in fp32.  query [B, H, T, D],
/// key and value [B, H_kv, T, D], head h using key head h / (H / H_kv); slopes [H]. `state`: an
/// undefined tensor means zero. Computed in chunks: a decayed causal product within a chunk, the
/// state between chunks; no factor exceeds 1, so nothing overflows. Uses a CPU kernel where one
/// applies (ops/cpu), else tensor operations on many chunks at once.
LightningResult lightning_attention(const at::Tensor& query, const at::Tensor& key,
                                    const at::Tensor& value, const at::Tensor& slopes, double scale,
                                    const at::Tensor& state);

}  // namespace niah::models
