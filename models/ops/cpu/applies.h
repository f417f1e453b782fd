// When the kernels of this folder take over from tensor operations.
#pragma once

#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>

namespace niah::models::cpu {

/// Whether tensors can go through the kernels: on the CPU, all in fp32 or all in bf16, and no
/// gradient is wanted of any.
bool applies(std::initializer_list<at::Tensor> tensors);

/// Room for so many floats that begins at a cache line: vectors that lie across two cost twice.
c10::DataPtr allocate_scratch(std::int64_t floats);

/// Calls `work` with a null pointer of the element type of `like`, float or c10::BFloat16.
template <typename Work>
void with_type(const at::Tensor& like, const Work& work) {
  if (like.scalar_type() == at::kFloat)
    work(static_cast<float*>(nullptr));
  else
    work(static_cast<c10::BFloat16*>(nullptr));
}

}  // namespace niah::models::cpu
