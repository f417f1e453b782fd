#include "models/ops/gate.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include "models/ops/cpu/applies.h"
#include "models/ops/cpu/kernels.h"

namespace niah::models {
namespace {

// Numbers a thread takes at least: less is not worth waking it.
constexpr std::int64_t kGrain = 16384;

bool has_kernel(const at::Tensor& a, const at::Tensor& b) {
  return cpu::applies({a, b}) && a.sizes() == b.sizes() && a.is_contiguous() && b.is_contiguous();
}

/// Runs the member `kernel` of the processor's kernels over all numbers of `a` and `b`.
template <typename Member>
at::Tensor run(const at::Tensor& a, const at::Tensor& b, const Member& member) {
  at::Tensor output = at::empty_like(a);
  cpu::with_type(a, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const T *left = a.const_data_ptr<T>(), *right = b.const_data_ptr<T>();
    T* to = output.mutable_data_ptr<T>();
    const auto kernel = member(cpu::kernels<T>());
    at::parallel_for(0, a.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      kernel(left + begin, right + begin, to + begin, end - begin);
    });
  });
  return output;
}

}  // namespace

at::Tensor silu_product(const at::Tensor& gate, const at::Tensor& up) {
  if (!has_kernel(gate, up)) return at::silu(gate) * up;
  return run(gate, up, [](const auto& kernels) { return kernels.silu_product; });
}

at::Tensor sigmoid_product(const at::Tensor& x, const at::Tensor& gate) {
  if (!has_kernel(x, gate)) return x * at::sigmoid(gate);
  return run(x, gate, [](const auto& kernels) { return kernels.sigmoid_product; });
}

}  // namespace niah::models
