// Helpers for ops that call the kernels in this folder: whether a kernel applies, and from tensors
// to pointers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>

#include "models/ops/cpu/kernels.h"

namespace niah::models::cpu {

/// Minimum number of elements per thread; fewer are not worth waking it.
inline constexpr std::int64_t kGrain = 16384;

/// Whether the kernels support these tensors: on the CPU, all fp32 or all bf16, and none requires a
/// gradient.
bool applies(std::initializer_list<at::Tensor> tensors);

/// Whether every row (last dimension) is contiguous and consists of whole SIMD vectors.
bool has_whole_rows(std::initializer_list<at::Tensor> tensors);

/// Memory for `floats` floats, aligned to a cache line: a vector across two lines costs twice.
c10::DataPtr allocate_scratch(std::int64_t floats);

/// Calls `work` with the kernels for the type of `like`.
template <typename Work>
void with_kernels(const at::Tensor& like, const Work& work) {
  if (like.scalar_type() == at::kFloat)
    work(kernels().fp32);
  else
    work(kernels().bf16);
}

/// An uninitialised output [B, H, T, D] in which the heads of a position are adjacent in memory, as
/// the output projection reads them.
at::Tensor empty_heads(std::int64_t batch, std::int64_t heads, std::int64_t tokens,
                       std::int64_t dim, const at::TensorOptions& options);

/// Pointer to the first element of one head of x [B, H, ...].
template <typename T>
const T* head_of(const at::Tensor& x, std::int64_t batch, std::int64_t head) {
  return x.const_data_ptr<T>() + batch * x.stride(0) + head * x.stride(1);
}
template <typename T>
T* mutable_head_of(const at::Tensor& x, std::int64_t batch, std::int64_t head) {
  return x.mutable_data_ptr<T>() + batch * x.stride(0) + head * x.stride(1);
}

}  // namespace niah::models::cpu
