// Token-by-token versions of the ops, written directly from the equations. Slow; faster versions
// are tested against them.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/ops/delta_rule.h"
#include "models/ops/experts.h"
#include "models/ops/lightning.h"
#include "models/ops/mamba2.h"

namespace niah::models::reference {

/// The recurrence S_t = exp(-slope) S_{t-1} + k_t^T v_t, o_t = scale * q_t S_t, one token at a
/// time.
LightningResult lightning_attention(const at::Tensor& query, const at::Tensor& key,
                                    const at::Tensor& value, const at::Tensor& slopes, double scale,
                                    const at::Tensor& state);

/// gated_delta_rule one token at a time, in fp64.
DeltaRuleResult gated_delta_rule(const at::Tensor& query, const at::Tensor& key,
                                 const at::Tensor& value, const at::Tensor& log_decay,
                                 const at::Tensor& beta, const at::Tensor& state);

/// mamba2 one token at a time, in fp64.
Mamba2Result mamba2(const at::Tensor& x, const at::Tensor& step, const at::Tensor& log_decay,
                    const at::Tensor& input, const at::Tensor& readout, const at::Tensor& state);

/// mix_experts one token at a time, every expert applied to each token, in fp64.
at::Tensor mix_experts(const at::Tensor& x, const Routing& routing, std::int64_t experts,
                       const RunExpert& run);

/// The output [B, T, C] of short_convolution for a whole text, one number at a time, in fp64.
at::Tensor short_convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// attend_cached one query row at a time, in fp64.
at::Tensor softmax_attention(const at::Tensor& query, const at::Tensor& key,
                             const at::Tensor& value, double scale);

/// attend_window one query row at a time, in fp64.
at::Tensor window_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            std::int64_t window, double scale);

/// x / sqrt(mean(x^2) + eps) * weight in fp64.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

}  // namespace niah::models::reference
