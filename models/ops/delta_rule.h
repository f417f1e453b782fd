// The gated delta rule: linear attention that overwrites the value stored for a key, with a decay
// per token (Gated DeltaNet, arXiv 2412.06464) or per token and channel (Kimi Delta Attention,
// arXiv 2510.26692).
#pragma once

#include <ATen/core/Tensor.h>

namespace niah::models {

/// Outputs for T tokens, and the state after them.
struct DeltaRuleResult {
  at::Tensor output;  ///< [B, H, T, V] fp32
  at::Tensor state;   ///< [B, H, K, V] fp32, keys by values
};

/// With S' = exp(g_t) S_{t-1} and u = beta_t (v_t - k_t S'):  S_t = S' + k_t^T u, o_t = q_t S_t.
/// All tensors are fp32: query and key [B, H_k, T, K], keys of norm 1 and queries already scaled,
/// head h using query and key head h / (H / H_k); value [B, H, T, V]; log_decay g <= 0, [B, H, T]
/// with one decay per token or [B, H, T, K] with one per row of the state; beta [B, H, T] in
/// (0, 2). `state`: an undefined tensor means zero. Computed in chunks (WY form): a unit lower
/// triangular system yields all u of a chunk at once, and only products with the state are
/// sequential. Uses a CPU kernel where one applies (ops/cpu).
DeltaRuleResult gated_delta_rule(const at::Tensor& query, const at::Tensor& key,
                                 const at::Tensor& value, const at::Tensor& log_decay,
                                 const at::Tensor& beta, const at::Tensor& state);

}  // namespace niah::models
