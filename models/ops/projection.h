// The product with a weight.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace niah::models {

/// Up to so many rows reading the weight takes longest; products of matrices are better at more.
inline constexpr std::int64_t kFewRows = 16;

/// x W^T + b: x [B, T, in], weight [out, in], bias [out] or undefined → [B, T, out]. Sums in fp32.
/// On the CPU, and for no more than kFewRows rows B * T, a sequence's result does not depend, to
/// the bit, on which others are beside it: what several generate in one pass is what each would
/// have generated alone. Where rows are no whole vectors that holds to rounding (is_row_exact).
at::Tensor project(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

/// Whether products with `weight` are such, to the bit.
bool is_row_exact(const at::Tensor& weight);

}  // namespace niah::models
