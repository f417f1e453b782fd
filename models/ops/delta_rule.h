// The gated delta rule: linear attention that overwrites what it stored under a key, with a decay
// that depends on the token (Gated DeltaNet, arXiv 2412.06464), or on token and channel.
#pragma once

#include <ATen/core/Tensor.h>

namespace niah::models {

/// Output and state after a stretch of tokens.
struct DeltaRuleResult {
  at::Tensor output;  ///< [B, H, T, V] fp32
  at::Tensor state;   ///< [B, H, K, V] fp32, first index key
};

/// With S' = exp(g_t) S_{t-1} and u = beta_t (v_t - k_t S'):  S_t = S' + k_t^T u, o_t = q_t S_t.
/// query, key [B, H_k, T, K] and value [B, H, T, V] fp32, keys of length 1 (queries scaled by the
/// caller); head h reads query and key head h / (H / H_k); log_decay g fp32, <= 0, a number a token
/// [B, H, T] or one for each of the state's rows [B, H, T, K] (Kimi Delta Attention, arXiv
/// 2510.26692); beta [B, H, T] fp32 in (0, 2). `state` undefined means zero. In chunks (the WY
/// form): within a chunk a unit lower triangular system gives all u at once; only products with the
/// state go chunk after chunk. By a kernel where one applies (ops/cpu).
DeltaRuleResult gated_delta_rule(const at::Tensor& query, const at::Tensor& key,
                                 const at::Tensor& value, const at::Tensor& log_decay,
                                 const at::Tensor& beta, const at::Tensor& state);

}  // namespace niah::models
