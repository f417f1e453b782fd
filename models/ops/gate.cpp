#include "models/ops/gate.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "models/ops/cpu/applies.h"

namespace niah::models {
namespace {

bool has_kernel(const at::Tensor& a, const at::Tensor& b) {
  return cpu::applies({a, b}) && a.sizes() == b.sizes() && a.is_contiguous() && b.is_contiguous();
}

/// Runs the CPU kernel that `pick` selects over all elements of `a` and `b`.
template <typename Pick>
at::Tensor by_kernel(const at::Tensor& a, const at::Tensor& b, const Pick& pick) {
  at::Tensor output = at::empty_like(a);
  cpu::with_kernels(a, [&]<typename T>(const cpu::TypedKernels<T>& kernels) {
    const T *left = a.const_data_ptr<T>(), *right = b.const_data_ptr<T>();
    T* to = output.mutable_data_ptr<T>();
    const auto kernel = pick(kernels);
    at::parallel_for(0, a.numel(), cpu::kGrain, [&](std::int64_t begin, std::int64_t end) {
      kernel(left + begin, right + begin, to + begin, end - begin);
    });
  });
  return output;
}

}  // namespace

at::Tensor swish(const at::Tensor& x) {
  return has_kernel(x, x) ? sigmoid_product(x, x) : at::silu(x);
}

at::Tensor silu_product(const at::Tensor& gate, const at::Tensor& up) {
  if (!has_kernel(gate, up)) return at::silu(gate) * up;
  return by_kernel(gate, up, [](const auto& kernels) { return kernels.silu_product; });
}

at::Tensor silu_gated(const at::Tensor& x, const at::Tensor& gate) {
  if (has_kernel(gate, x)) return silu_product(gate, x);  // the kernel rounds once
  return (x.to(at::kFloat) * at::silu(gate.to(at::kFloat))).to(x.scalar_type());
}

at::Tensor sigmoid_product(const at::Tensor& x, const at::Tensor& gate) {
  if (!has_kernel(x, gate)) return x * at::sigmoid(gate);
  return by_kernel(x, gate, [](const auto& kernels) { return kernels.sigmoid_product; });
}

}  // namespace niah::models
