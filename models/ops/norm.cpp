#include "models/ops/norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "models/ops/cpu/applies.h"

namespace niah::models {
namespace {

/// Whether the rows of x follow each other in memory, in any order: x is contiguous, or the heads
/// [B, H, T, D] of a contiguous projection [B, T, H, D].
bool has_adjacent_rows(const at::Tensor& x) {
  return x.is_contiguous() || (x.dim() == 4 && x.transpose(1, 2).is_contiguous());
}

bool has_kernel(const at::Tensor& x, const at::Tensor& weight) {
  return cpu::applies({x, weight}) && has_adjacent_rows(x) && x.size(-1) > 0 &&
         x.size(-1) % cpu::kernels().width == 0;
}

at::Tensor by_kernel(const at::Tensor& x, const at::Tensor& weight, double eps,
                     NormRounding rounding) {
  const std::int64_t size = x.size(-1);
  at::Tensor output = at::empty_like(x);  // rows in the same order in memory
  cpu::with_kernels(x, [&]<typename T>(const cpu::TypedKernels<T>& kernels) {
    at::parallel_for(0, x.numel() / size, std::max<std::int64_t>(1, cpu::kGrain / size),
                     [&](std::int64_t begin, std::int64_t end) {
                       kernels.rms_norm(
                           x.const_data_ptr<T>() + begin * size, weight.const_data_ptr<T>(),
                           output.mutable_data_ptr<T>() + begin * size, end - begin, size,
                           static_cast<float>(eps), rounding == NormRounding::kBeforeWeight,
                           rounding == NormRounding::kOnePlusWeight ? 1.0F : 0.0F);
                     });
  });
  return output;
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps,
                    NormRounding rounding) {
  if (has_kernel(x, weight)) return by_kernel(x, weight, eps, rounding);
  if (rounding == NormRounding::kOnePlusWeight)  // 1 + weight would lose bits in a narrower type
    return at::rms_norm(x.to(at::kFloat), {x.size(-1)}, weight.to(at::kFloat) + 1, eps)
        .to(x.scalar_type());
  if (x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat)
    return at::rms_norm(x, {x.size(-1)}, weight, eps);
  // On a GPU, a single kernel that sums in fp32 and rounds its output. Where the reference rounds
  // twice, so does this: the choice of experts may depend on it.
  if (!x.is_cpu() && x.scalar_type() == weight.scalar_type())
    return rounding == NormRounding::kAfterWeight ? at::rms_norm(x, {x.size(-1)}, weight, eps)
                                                  : at::rms_norm(x, {x.size(-1)}, {}, eps) * weight;
  if (rounding == NormRounding::kAfterWeight)
    return at::rms_norm(x.to(at::kFloat), {x.size(-1)}, weight.to(at::kFloat), eps)
        .to(x.scalar_type());
  const at::Tensor normed = at::rms_norm(x.to(at::kFloat), {x.size(-1)}, {}, eps);
  return normed.to(x.scalar_type()) * weight;
}

}  // namespace niah::models
