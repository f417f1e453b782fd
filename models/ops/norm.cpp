#include "models/ops/norm.h"

#include <torch/torch.h>

namespace niah::models {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps,
                    NormRounding rounding) {
  if (x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat)
    return at::rms_norm(x, {x.size(-1)}, weight, eps);
  if (rounding == NormRounding::kAfterWeight)
    return at::rms_norm(x.to(at::kFloat), {x.size(-1)}, weight.to(at::kFloat), eps)
        .to(x.scalar_type());
  const at::Tensor normed = at::rms_norm(x.to(at::kFloat), {x.size(-1)}, {}, eps);
  return normed.to(x.scalar_type()) * weight;
}

}  // namespace niah::models
