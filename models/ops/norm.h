// RMSNorm, in the two roundings that checkpoints were trained with.
#pragma once

#include <ATen/core/Tensor.h>

namespace niah::models {

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension, mean and division in fp32. In lower
/// precision the normalised value is rounded before it is multiplied by the weight (Qwen3,
/// HypeNet).
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

}  // namespace niah::models
