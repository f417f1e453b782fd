#include "models/ops/cpu/applies.h"

#include <ATen/core/grad_mode.h>
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

c10::DataPtr allocate_scratch(std::int64_t floats) {
  return c10::GetCPUAllocator()->allocate(static_cast<std::size_t>(floats) * sizeof(float));
}

}  // namespace niah::models::cpu
