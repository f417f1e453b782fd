// Tensors that several sequences share, and what goes from the host to a device.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace niah::models {

/// `f` of x [B, ...]; on the CPU of one sequence at a time, which must not notice each other:
/// libtorch rounds functions of the numbers after the last whole vector of a tensor differently,
/// and a few heads are no whole vector.
template <typename F>
at::Tensor for_each_of_batch(const at::Tensor& x, const F& f) {
  if (x.size(0) == 1 || !x.is_cpu()) return f(x);
  std::vector<at::Tensor> all;
  for (const at::Tensor& one : x.split(1)) all.push_back(f(one));
  return at::cat(all);
}

/// Copies a few numbers of the host to a device without waiting for what it still has to do: the
/// numbers are taken before this returns.
inline at::Tensor to_device(const at::Tensor& few, at::Device device) {
  return few.to(device, few.scalar_type(), /*non_blocking=*/true);
}

}  // namespace niah::models
