// Mamba-2's state space (SSD, arXiv 2405.21060): a matrix a head that fades by a factor that
// depends on the token, and takes in an outer product a token.
#pragma once

#include <ATen/core/Tensor.h>

namespace niah::models {

/// Output and state after a stretch of tokens.
struct Mamba2Result {
  at::Tensor output;  ///< [B, H, T, P] fp32
  at::Tensor state;   ///< [B, H, P, N] fp32
};

/// S_t = exp(a_t) S_{t-1} + dt_t x_t B_t^T, y_t = S_t C_t, where what is called B and C in the
/// literature are `input` and `readout`. x [B, H, T, P], step dt and log_decay a <= 0 [B, H, T],
/// input and readout [B, G, T, N], of which each group serves H/G heads side by side; all fp32.
/// `state` undefined means zero. In chunks: within one the products of C and B, weighted by what
/// decay leaves, meet x; from chunk to chunk goes the state. The result does not depend on how a
/// text is cut into calls, but for rounding.
Mamba2Result mamba2(const at::Tensor& x, const at::Tensor& step, const at::Tensor& log_decay,
                    const at::Tensor& input, const at::Tensor& readout, const at::Tensor& state);

}  // namespace niah::models
