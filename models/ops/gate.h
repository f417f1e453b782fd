// Products with an activation of the other factor.
#pragma once

#include <ATen/core/Tensor.h>

namespace niah::models {

/// x * sigmoid(x), also called SiLU. Where no gradient is wanted, on the CPU, a number's result
/// does not depend on where in the tensor it stands.
at::Tensor swish(const at::Tensor& x);

/// silu(gate) * up, the middle of a SwiGLU (arXiv 2002.05202); both of one shape.
at::Tensor silu_product(const at::Tensor& gate, const at::Tensor& up);

/// x * silu(gate), the silu in fp32 and the product rounded once; both of one shape.
at::Tensor silu_gated(const at::Tensor& x, const at::Tensor& gate);

/// x * sigmoid(gate), an output gate; both of one shape.
at::Tensor sigmoid_product(const at::Tensor& x, const at::Tensor& gate);

}  // namespace niah::models
