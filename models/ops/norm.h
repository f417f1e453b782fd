// RMSNorm, rounded as in the implementations that checkpoints were trained with.
#pragma once

#include <ATen/core/Tensor.h>

namespace niah::models {

/// Where results are rounded to the type of the activations, if that is not fp32.
enum class NormRounding {
  kBeforeWeight,   ///< after normalising, and after the product with the weight (HypeNet, Qwen)
  kAfterWeight,    ///< once, at the end (Jet-Nemotron)
  kOnePlusWeight,  ///< once, at the end, and the factor is 1 + weight in fp32 (Qwen3-Next)
};

/// x / sqrt(mean(x^2) + eps) * weight, or * (1 + weight), over the last dimension; mean and
/// division in fp32.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps,
                    NormRounding rounding = NormRounding::kBeforeWeight);

}  // namespace niah::models
