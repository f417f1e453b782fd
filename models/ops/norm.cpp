#include "models/ops/norm.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>

#include "models/ops/cpu/applies.h"
#include "models/ops/cpu/kernels.h"

namespace niah::models {
namespace {

/// The rows of x one after the other in memory, in whatever order: x itself, or heads [B, H, T, D]
/// of a projection [B, T, H, D].
bool has_adjacent_rows(const at::Tensor& x) {
  return x.is_contiguous() || (x.dim() == 4 && x.transpose(1, 2).is_contiguous());
}

/// nullopt where the kernel does not apply.
std::optional<at::Tensor> fused(const at::Tensor& x, const at::Tensor& weight, double eps,
                                NormRounding rounding) {
  if (!cpu::applies({x, weight}) || !has_adjacent_rows(x)) return std::nullopt;
  const std::int64_t size = x.size(-1), rows = x.numel() / std::max<std::int64_t>(size, 1);
  at::Tensor output = at::empty_like(x);  // the same order in memory
  bool done = false;
  cpu::with_type(x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const cpu::Kernels<T>& kernels = cpu::kernels<T>();
    if (size == 0 || size % kernels.width != 0) return;
    constexpr std::int64_t kGrain = 16384;  // numbers a thread takes at least
    at::parallel_for(0, rows, std::max<std::int64_t>(1, kGrain / size),
                     [&](std::int64_t begin, std::int64_t end) {
                       kernels.rms_norm(
                           x.const_data_ptr<T>() + begin * size, weight.const_data_ptr<T>(),
                           output.mutable_data_ptr<T>() + begin * size, end - begin, size,
                           static_cast<float>(eps), rounding == NormRounding::kBeforeWeight);
                     });
    done = true;
  });
  return done ? std::optional(output) : std::nullopt;
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps,
                    NormRounding rounding) {
  if (auto output = fused(x, weight, eps, rounding)) return *output;
  if (x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat)
    return at::rms_norm(x, {x.size(-1)}, weight, eps);
  if (rounding == NormRounding::kAfterWeight)
    return at::rms_norm(x.to(at::kFloat), {x.size(-1)}, weight.to(at::kFloat), eps)
        .to(x.scalar_type());
  const at::Tensor normed = at::rms_norm(x.to(at::kFloat), {x.size(-1)}, {}, eps);
  return normed.to(x.scalar_type()) * weight;
}

}  // namespace niah::models
