// Helpers for batches of sequences and for copies from the host to a device.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace niah::models {

/// f(x) for x [B, ...]. On the CPU, f is applied to one sequence at a time, so that results do not
/// depend on the other sequences: libtorch rounds elements after a tensor's last whole SIMD vector
/// differently, and a few heads do not fill a whole vector.
template <typename F>
at::Tensor for_each_of_batch(const at::Tensor& x, const F& f) {
  if (x.size(0) == 1 || !x.is_cpu()) return f(x);
  std::vector<at::Tensor> all;
  for (const at::Tensor& one : x.split(1)) all.push_back(f(one));
  return at::cat(all);
}

/// Copies a few numbers from the host to a device without waiting for the work queued on it. The
/// host tensor may be freed when this returns.
inline at::Tensor to_device(const at::Tensor& few, at::Device device) {
  return few.to(device, few.scalar_type(), /*non_blocking=*/true);
}

}  // namespace niah::models
