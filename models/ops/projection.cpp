#include "models/ops/projection.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "models/ops/cpu/applies.h"

namespace niah::models {
namespace {

bool has_kernel(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return x.is_contiguous() && weight.is_contiguous() &&
         cpu::applies({x, weight, bias.defined() ? bias : weight}) &&
         cpu::has_whole_rows({x, weight});
}

at::Tensor by_kernel(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const std::int64_t inputs = weight.size(1), outputs = weight.size(0);
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = outputs;
  at::Tensor output = at::empty(shape, x.options());
  const std::int64_t grain =
      std::max<std::int64_t>(4, cpu::kGrain / std::max<std::int64_t>(1, inputs));
  cpu::with_kernels(x, [&]<typename T>(const cpu::TypedKernels<T>& kernels) {
    at::parallel_for(0, outputs, grain, [&](std::int64_t begin, std::int64_t end) {
      kernels.row_products({.x = x.const_data_ptr<T>(),
                            .weight = weight.const_data_ptr<T>(),
                            .bias = bias.defined() ? bias.const_data_ptr<T>() : nullptr,
                            .output = output.mutable_data_ptr<T>(),
                            .x_stride = inputs,
                            .output_stride = outputs,
                            .rows = x.numel() / inputs,
                            .inputs = inputs,
                            .begin = begin,
                            .end = end});
    });
  });
  return output;
}

using OneDnnLinearFunction = at::Tensor(const at::Tensor&, const at::Tensor&,
                                        const std::optional<at::Tensor>&, c10::string_view,
                                        c10::List<std::optional<at::Scalar>>,
                                        std::optional<c10::string_view>);
using OneDnnLinear = c10::TypedOperatorHandle<OneDnnLinearFunction>;

/// libtorch's operator that leaves a projection to oneDNN in fp32, too, where that is faster: on
/// processors of AMD, for which libtorch's BLAS (Intel's) has slower code.
std::optional<OneDnnLinear> find_onednn_linear() {
#if defined(__x86_64__)
  if (!__builtin_cpu_is("amd") || !at::hasMKLDNN()) return {};
  try {
    const auto found =
        c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", /*overload=*/""});
    if (found) return found->typed<OneDnnLinearFunction>();
  } catch (const c10::Error&) {
    // Another version of libtorch, with other arguments.
  }
#endif
  return {};
}

const std::optional<OneDnnLinear>& onednn_linear() {
  static const std::optional<OneDnnLinear> found = find_onednn_linear();
  return found;
}

/// x W^T + b for many rows.
at::Tensor by_library(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!onednn_linear() || x.scalar_type() != at::kFloat || !weight.is_contiguous() ||
      !cpu::applies({x, weight, bias.defined() ? bias : weight}))
    return at::linear(x, weight, bias);
  return onednn_linear()->call(x, weight, bias.defined() ? std::optional(bias) : std::nullopt,
                               /*attr=*/"none", c10::List<std::optional<at::Scalar>>(),
                               /*algorithm=*/"");
}

}  // namespace

bool uses_onednn() { return onednn_linear().has_value(); }

bool is_row_exact(const at::Tensor& weight) {
  return weight.is_contiguous() && cpu::applies({weight}) && cpu::has_whole_rows({weight});
}

at::Tensor project(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!x.device().is_cpu() || x.numel() > kFewRows * x.size(-1)) return by_library(x, weight, bias);
  if (has_kernel(x, weight, bias)) return by_kernel(x, weight, bias);
  std::vector<at::Tensor> sequences;
  for (const at::Tensor& one : x.split(1)) sequences.push_back(at::linear(one, weight, bias));
  return at::cat(sequences);
}

}  // namespace niah::models
