// Functions of a batch whose sequences must not notice each other.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace niah::models {

/// `f` of x [B, ...], of one sequence at a time: libtorch rounds functions of the numbers after the
/// last whole vector of a tensor differently, and a few heads are no whole vector.
template <typename F>
at::Tensor for_each_of_batch(const at::Tensor& x, const F& f) {
  if (x.size(0) == 1) return f(x);
  std::vector<at::Tensor> all;
  for (const at::Tensor& one : x.split(1)) all.push_back(f(one));
  return at::cat(all);
}

}  // namespace niah::models
