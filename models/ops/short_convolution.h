// The short convolution in front of many recurrent mixers: depthwise, causal, over a few tokens.
#pragma once

#include <ATen/core/Tensor.h>

namespace niah::models {

/// Output of a stretch of tokens, and what the next stretch needs of them.
struct ShortConvolutionResult {
  at::Tensor output;  ///< [B, T, C] in x's type
  at::Tensor tail;    ///< [B, k-1, C]: the last inputs
};

/// y_t[c] = bias[c] + sum_m weight[c, 0, m] x_{t-k+1+m}[c], the last tap on the token itself: x
/// [B, T, C], weight [C, 1, k], bias [C] or undefined, `tail` [B, k-1, C] the inputs before x, or
/// undefined at a text's start, where they are zero. Products and sum in fp32, rounded once; no
/// activation. A number's result does not depend on T or B. Differentiable.
ShortConvolutionResult short_convolution(const at::Tensor& x, const at::Tensor& weight,
                                         const at::Tensor& bias, const at::Tensor& tail);

}  // namespace niah::models
