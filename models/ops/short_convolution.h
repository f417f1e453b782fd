// The short convolution of many recurrent mixers: depthwise, causal, over a few tokens.
#pragma once

#include <ATen/core/Tensor.h>

namespace niah::models {

/// Outputs for T tokens, and the inputs that the next tokens need.
struct ShortConvolutionResult {
  at::Tensor output;  ///< [B, T, C] in x's type
  at::Tensor tail;    ///< [B, k-1, C]: the last inputs
};

/// y_t[c] = bias[c] + sum_m weight[c, 0, m] x_{t-k+1+m}[c], so the last tap is on the token itself.
/// x [B, T, C], weight [C, 1, k], bias [C] or undefined; `tail` [B, k-1, C]: the inputs before x,
/// or undefined at the start of a text, where they are zero. Products and sum are in fp32 and
/// rounded once; no activation. Results do not depend on T or B. Differentiable.
ShortConvolutionResult short_convolution(const at::Tensor& x, const at::Tensor& weight,
                                         const at::Tensor& bias, const at::Tensor& tail);

}  // namespace niah::models
