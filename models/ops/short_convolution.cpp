#include "models/ops/short_convolution.h"

#include <ATen/ATen.h>

#include <array>

namespace niah::models {

ShortConvolutionResult short_convolution(const at::Tensor& x, const at::Tensor& weight,
                                         const at::Tensor& bias, const at::Tensor& tail) {
  const std::int64_t tokens = x.size(1), kept = weight.size(2) - 1;
  const at::Tensor before =
      tail.defined() ? tail : at::zeros({x.size(0), kept, x.size(2)}, x.options());
  const at::Tensor all = at::cat({before, x}, 1);  // [B, k-1+T, C]
  // Copied, because a view would keep all inputs of a long pass alive.
  const at::Tensor last = all.narrow(1, tokens, kept).clone(at::MemoryFormat::Contiguous);
  if (x.is_cuda()) {  // a single kernel, which sums in fp32 and rounds once
    const std::array<std::int64_t, 1> one = {1}, none = {0};
    const at::Tensor output =
        at::conv1d(all.transpose(1, 2), weight, bias, /*stride=*/at::IntArrayRef(one),
                   /*padding=*/at::IntArrayRef(none), /*dilation=*/at::IntArrayRef(one),
                   /*groups=*/x.size(2));
    return {output.transpose(1, 2).contiguous(), last};
  }
  const at::Tensor taps = weight.select(1, 0).t().to(at::kFloat).contiguous();  // [k, C]
  at::Tensor sum;
  for (std::int64_t m = 0; m <= kept; ++m) {
    const at::Tensor product = all.narrow(1, m, tokens).to(at::kFloat) * taps[m];
    // In place, because another copy of a long pass would be costly.
    sum = m == 0 ? product : sum.add_(product);
  }
  if (bias.defined()) sum.add_(bias.to(at::kFloat));
  return {sum.to(x.scalar_type()), last};
}

}  // namespace niah::models
