// Gated products: x times an activation of a gate.
#pragma once

#include <ATen/core/Tensor.h>

namespace niah::models {

/// x * sigmoid(x), also called SiLU. On the CPU, without gradients, the result for an element does
/// not depend on its position in the tensor.
at::Tensor swish(const at::Tensor& x);

/// silu(gate) * up, the middle of a SwiGLU (arXiv 2002.05202); both have the same shape.
at::Tensor silu_product(const at::Tensor& gate, const at::Tensor& up);

/// x * silu(gate), with silu in fp32 and the product rounded once; both have the same shape.
at::Tensor silu_gated(const at::Tensor& x, const at::Tensor& gate);

/// x * sigmoid(gate), an output gate; both have the same shape.
at::Tensor sigmoid_product(const at::Tensor& x, const at::Tensor& gate);

}  // namespace niah::models
