// Linear projections.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace niah::models {

/// Up to this many rows, the time goes into reading the weight; for more, general matrix products
/// are faster.
inline constexpr std::int64_t kFewRows = 16;

/// x W^T + b: x [B, T, in], weight [out, in], bias [out] or undefined → [B, T, out]. Sums in fp32.
/// On the CPU, with at most kFewRows rows (B * T), the result for a sequence does not depend on the
/// other sequences in the batch, so sequences decoded together come out as if decoded alone: bit
/// for bit if is_row_exact(weight), else up to rounding.
at::Tensor project(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

/// Whether the independence of project() holds bit for bit: on the CPU, for rows of whole SIMD
/// vectors.
bool is_row_exact(const at::Tensor& weight);

/// Whether project() leaves fp32 products of many rows to oneDNN instead of libtorch's BLAS. So on
/// processors of AMD, for which that BLAS (Intel's) has slower code. Part of a run's arithmetic.
bool uses_onednn();

}  // namespace niah::models
