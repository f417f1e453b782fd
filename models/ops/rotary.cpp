#include "models/ops/rotary.h"

#include <torch/torch.h>

namespace niah::models {

at::Tensor rotary_frequencies(double theta, std::int64_t head_dim) {
  const at::Tensor exponent = at::arange(0, head_dim, 2, at::kLong).to(at::kFloat) / head_dim;
  return 1.0 / at::pow(theta, exponent);
}

std::pair<at::Tensor, at::Tensor> rotary_tables(const at::Tensor& frequencies,
                                                std::int64_t position, std::int64_t tokens) {
  const at::Tensor positions =
      at::arange(position, position + tokens, frequencies.options().dtype(at::kFloat));
  const at::Tensor angles = positions.unsqueeze(1) * frequencies.unsqueeze(0);
  return {angles.cos(), angles.sin()};
}

at::Tensor apply_rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const at::Tensor c = cos.to(x.scalar_type());
  const at::Tensor s = sin.to(x.scalar_type());
  const auto halves = x.chunk(2, -1);
  return at::cat({halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1);
}

}  // namespace niah::models
