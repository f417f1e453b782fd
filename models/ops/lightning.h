// Lightning attention: linear attention with a fixed exponential decay a head.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace niah::models {

/// Decay slopes [heads] fp32, ALiBi's rule: 2^(-8(h+1)/heads) for a power of two; otherwise those
/// of the largest power of two p below, then every other one of 2p.
at::Tensor lightning_slopes(std::int64_t heads);

/// Output and state after a stretch of tokens.
struct LightningResult {
  at::Tensor output;  ///< [B, H, T, D] in the query's type
  at::Tensor state;   ///< [B, H, D, D] fp32, first index key, second value
};

/// S_t = exp(-slope) S_{t-1} + k_t^T v_t;  o_t = scale * q_t S_t, all in fp32.  query [B, H, T, D],
/// key and value [B, H_kv, T, D]: head h reads key head h / (H / H_kv). `state` undefined means
/// zero. In chunks: within one by a decayed causal product, between them by the state; every factor
/// is at most 1, so nothing overflows. Where no kernel applies (ops/cpu) all chunks go at once by
/// tensor operations, and one token through the recurrence.
LightningResult lightning_attention(const at::Tensor& query, const at::Tensor& key,
                                    const at::Tensor& value, const at::Tensor& slopes, double scale,
                                    const at::Tensor& state);

}  // namespace niah::models
