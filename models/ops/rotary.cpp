#include "models/ops/rotary.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/ops/batch.h"
#include "models/ops/cpu/applies.h"

namespace niah::models {

at::Tensor rotary_frequencies(double theta, std::int64_t head_dim) {
  const at::Tensor exponent = at::arange(0, head_dim, 2, at::kLong).to(at::kFloat) / head_dim;
  return 1.0 / at::pow(theta, exponent);
}

at::Tensor yarn_frequencies(double theta, std::int64_t head_dim, const YarnScaling& scaling) {
  const auto dim = static_cast<double>(head_dim);
  // The dimension whose frequency makes `turns` turns within the original context.
  const auto dimension_of = [&](double turns) {
    return dim * std::log(scaling.original_positions / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(theta));
  };
  double low = dimension_of(scaling.beta_fast), high = dimension_of(scaling.beta_slow);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001;

  const at::Tensor kept = rotary_frequencies(theta, head_dim);
  const at::Tensor slowed = kept / scaling.factor;
  const at::Tensor ramp =
      ((at::arange(0, head_dim / 2, kept.options()) - low) / (high - low)).clamp(0, 1);
  return slowed * ramp + kept * (1 - ramp);
}

at::Tensor llama3_frequencies(double theta, std::int64_t head_dim, const Llama3Scaling& scaling) {
  const at::Tensor kept = rotary_frequencies(theta, head_dim);
  const at::Tensor turns = kept * (scaling.original_positions / (2 * std::numbers::pi));
  const at::Tensor ramp = ((turns - scaling.low) / (scaling.high - scaling.low)).clamp(0, 1);
  return kept * ramp + kept / scaling.factor * (1 - ramp);
}

at::Tensor positions_on(at::Device device, const std::vector<std::int64_t>& first,
                        std::int64_t tokens) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  if (first.size() == 1)
    return at::arange(first.front(), first.front() + tokens, options).unsqueeze(0);
  const at::Tensor begins = to_device(at::tensor(first, at::kLong), device).to(at::kFloat);
  return begins.unsqueeze(1) + at::arange(tokens, options).unsqueeze(0);
}

std::pair<at::Tensor, at::Tensor> rotary_tables(const at::Tensor& frequencies,
                                                std::int64_t position, std::int64_t tokens) {
  const at::Tensor positions = positions_on(frequencies.device(), {position}, tokens).squeeze(0);
  const at::Tensor angles = positions.unsqueeze(1) * frequencies.unsqueeze(0);
  return {angles.cos(), angles.sin()};
}

std::pair<at::Tensor, at::Tensor> rotary_tables(const at::Tensor& frequencies,
                                                const std::vector<std::int64_t>& positions,
                                                std::int64_t tokens) {
  if (positions.size() == 1) return rotary_tables(frequencies, positions.front(), tokens);
  if (!frequencies.is_cpu()) {
    const at::Tensor angles =
        positions_on(frequencies.device(), positions, tokens).unsqueeze(-1) * frequencies;
    return {angles.cos(), angles.sin()};
  }
  // One by one, so that each is bit for bit what it would be alone.
  std::vector<at::Tensor> cos, sin;
  for (const std::int64_t position : positions) {
    const auto own = rotary_tables(frequencies, position, tokens);
    cos.push_back(own.first);
    sin.push_back(own.second);
  }
  return {at::stack(cos), at::stack(sin)};
}

namespace {

bool has_kernel(const at::Tensor& x) {
  return cpu::applies({x}) && x.stride(3) == 1 && x.size(3) % (2 * cpu::kernels().width) == 0;
}

/// Uses the CPU kernel; cos and sin as in apply_rotary, already rounded.
at::Tensor by_kernel(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const std::int64_t heads = x.size(1), rows = x.size(2), dim = x.size(3);
  const at::Tensor c = cos.to(at::kFloat).contiguous(), s = sin.to(at::kFloat).contiguous();
  const std::int64_t table = c.dim() == 3 ? c.stride(0) : 0;  // stride from sequence to sequence
  at::Tensor output = at::empty(x.sizes(), x.options());
  const std::int64_t grain =
      std::max<std::int64_t>(1, cpu::kGrain / std::max<std::int64_t>(1, rows * dim));
  cpu::with_kernels(x, [&]<typename T>(const cpu::TypedKernels<T>& kernels) {
    at::parallel_for(0, x.size(0) * heads, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        kernels.rotary({cpu::head_of<T>(x, i / heads, i % heads),
                        cpu::mutable_head_of<T>(output, i / heads, i % heads), x.stride(2), rows,
                        dim, c.const_data_ptr<float>() + i / heads * table,
                        s.const_data_ptr<float>() + i / heads * table});
    });
  });
  return output;
}

/// For a GPU: writes each half to its place in the output, which needs few kernels. Rounds as the
/// reference does.
at::Tensor in_place(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const std::int64_t half = cos.size(-1), rest = x.size(-1) - 2 * half;
  at::Tensor output = at::empty_like(x);
  const at::Tensor first = x.narrow(-1, 0, half), second = x.narrow(-1, half, half);
  at::Tensor to_first = output.narrow(-1, 0, half), to_second = output.narrow(-1, half, half);
  at::mul_out(to_first, first, cos).sub_(second * sin);
  at::mul_out(to_second, second, cos).add_(first * sin);
  if (rest > 0) output.narrow(-1, 2 * half, rest).copy_(x.narrow(-1, 2 * half, rest));
  return output;
}

}  // namespace

at::Tensor apply_rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const std::int64_t dim = x.size(-1), width = 2 * cos.size(-1);
  const bool writes_in_place = !x.is_cpu() && !at::GradMode::is_enabled();
  if (width < dim && !writes_in_place)
    return at::cat(
        {apply_rotary(x.narrow(-1, 0, width), cos, sin), x.narrow(-1, width, dim - width)}, -1);
  at::Tensor c = cos.to(x.scalar_type());
  at::Tensor s = sin.to(x.scalar_type());
  if (has_kernel(x)) return by_kernel(x, c, s);
  if (c.dim() == 3) {  // [B, 1, T, R/2], the same for all heads
    c = c.unsqueeze(1);
    s = s.unsqueeze(1);
  }
  if (writes_in_place) return in_place(x, c, s);
  const auto halves = x.chunk(2, -1);
  return at::cat({halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1);
}

}  // namespace niah::models
