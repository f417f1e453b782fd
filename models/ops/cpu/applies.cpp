#include "models/ops/cpu/applies.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <c10/core/CPUAllocator.h>

namespace niah::models::cpu {

bool applies(std::initializer_list<at::Tensor> tensors) {
  const at::ScalarType type = tensors.begin()->scalar_type();
  if (type != at::kFloat && type != at::kBFloat16) return false;
  for (const at::Tensor& tensor : tensors)
    if (!tensor.device().is_cpu() || tensor.scalar_type() != type ||
        (at::GradMode::is_enabled() && tensor.requires_grad()))
      return false;
  return true;
}

bool has_whole_rows(std::initializer_list<at::Tensor> tensors) {
  for (const at::Tensor& tensor : tensors)
    if (tensor.stride(-1) != 1 || tensor.size(-1) % kernels().width != 0) return false;
  return true;
}

at::Tensor empty_heads(std::int64_t batch, std::int64_t heads, std::int64_t tokens,
                       std::int64_t dim, const at::TensorOptions& options) {
  return at::empty({batch, tokens, heads, dim}, options).transpose(1, 2);
}

c10::DataPtr allocate_scratch(std::int64_t floats) {
  return c10::GetCPUAllocator()->allocate(static_cast<std::size_t>(floats) * sizeof(float));
}

}  // namespace niah::models::cpu
