// What the ops need to call the kernels of this folder: when they take over from tensor operations,
// and tensors as the pointers that they work on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>

#include "models/ops/cpu/kernels.h"

namespace niah::models::cpu {

/// Numbers that a thread takes at least: less is not worth waking it.
inline constexpr std::int64_t kGrain = 16384;

/// Whether tensors can go through the kernels: on the CPU, all in fp32 or all in bf16, and no
/// gradient is wanted of any.
bool applies(std::initializer_list<at::Tensor> tensors);

/// Whether the numbers of every row (last dimension) lie side by side, and are whole vectors.
bool has_whole_rows(std::initializer_list<at::Tensor> tensors);

/// Room for so many floats that begins at a cache line: vectors that lie across two cost twice.
c10::DataPtr allocate_scratch(std::int64_t floats);

/// Calls `work` with the kernels for the type of `like`.
template <typename Work>
void with_kernels(const at::Tensor& like, const Work& work) {
  if (like.scalar_type() == at::kFloat)
    work(kernels().fp32);
  else
    work(kernels().bf16);
}

/// An output [B, H, T, D] of which the heads of a position lie side by side, as the output
/// projection reads them.
at::Tensor empty_heads(std::int64_t batch, std::int64_t heads, std::int64_t tokens,
                       std::int64_t dim, const at::TensorOptions& options);

/// Where a head of x [B, H, ...] begins.
template <typename T>
const T* head_of(const at::Tensor& x, std::int64_t batch, std::int64_t head) {
  return x.const_data_ptr<T>() + batch * x.stride(0) + head * x.stride(1);
}
template <typename T>
T* mutable_head_of(const at::Tensor& x, std::int64_t batch, std::int64_t head) {
  return x.mutable_data_ptr<T>() + batch * x.stride(0) + head * x.stride(1);
}

}  // namespace niah::models::cpu
