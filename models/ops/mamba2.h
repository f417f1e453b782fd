// The state space model of Mamba-2 (SSD, arXiv 2405.21060): each head has a matrix state that
// decays by a token-dependent factor and receives one outer product per token.
#pragma once

#include <ATen/core/Tensor.h>

namespace niah::models {

/// Outputs for T tokens, and the state after them.
struct Mamba2Result {
  at::Tensor output;  ///< [B, H, T, P] fp32
  at::Tensor state;   ///< [B, H, P, N] fp32
};

/// S_t = exp(a_t) S_{t-1} + dt_t x_t B_t^T, y_t = S_t C_t, where the paper's B and C are called
/// `input` and `readout`. x [B, H, T, P]; step dt and log_decay a <= 0, [B, H, T]; input and
/// readout [B, G, T, N], each group shared by H/G consecutive heads; all fp32. `state`: an
/// undefined tensor means zero. Computed in chunks: decayed products C_i B_j applied to x within a
/// chunk, the state between chunks. Up to rounding, the result does not depend on how a text is
/// split into calls.
Mamba2Result mamba2(const at::Tensor& x, const at::Tensor& step, const at::Tensor& log_decay,
                    const at::Tensor& input, const at::Tensor& readout, const at::Tensor& state);

}  // namespace niah::models
