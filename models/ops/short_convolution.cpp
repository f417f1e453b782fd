#include "models/ops/short_convolution.h"

#include <torch/torch.h>

namespace niah::models {

ShortConvolutionResult short_convolution(const at::Tensor& x, const at::Tensor& weight,
                                         const at::Tensor& bias, const at::Tensor& tail) {
  const std::int64_t tokens = x.size(1), kept = weight.size(2) - 1;
  const at::Tensor before =
      tail.defined() ? tail : at::zeros({x.size(0), kept, x.size(2)}, x.options());
  const at::Tensor all = at::cat({before, x}, 1);                               // [B, k-1+T, C]
  const at::Tensor taps = weight.select(1, 0).t().to(at::kFloat).contiguous();  // [k, C]
  at::Tensor sum;
  for (std::int64_t m = 0; m <= kept; ++m) {
    const at::Tensor product = all.narrow(1, m, tokens).to(at::kFloat) * taps[m];
    // In place: a long pass is wide, and one more copy of it would be noticed.
    sum = m == 0 ? product : sum.add_(product);
  }
  if (bias.defined()) sum.add_(bias.to(at::kFloat));
  // A copy: a view would keep all of a long pass alive.
  return {sum.to(x.scalar_type()), all.narrow(1, tokens, kept).clone(at::MemoryFormat::Contiguous)};
}

}  // namespace niah::models
