#include "models/ops/reference.h"

#include <torch/torch.h>

#include <vector>

namespace niah::models::reference {

LightningResult lightning_attention(const at::Tensor& query, const at::Tensor& key,
                                    const at::Tensor& value, const at::Tensor& slopes, double scale,
                                    const at::Tensor& state) {
  const std::int64_t dim = query.size(3);
  at::Tensor current = state.defined()
                           ? state
                           : at::zeros({query.size(0), query.size(1), dim, dim}, query.options());
  const at::Tensor decay = at::exp(-slopes).view({1, -1, 1, 1});
  std::vector<at::Tensor> outputs;
  for (std::int64_t t = 0; t < query.size(2); ++t) {
    const at::Tensor k = key.narrow(2, t, 1), v = value.narrow(2, t, 1);
    current = decay * current + at::matmul(k.transpose(2, 3), v);
    outputs.push_back(at::matmul(query.narrow(2, t, 1) * scale, current));
  }
  return {at::cat(outputs, 2), current};
}

at::Tensor softmax_attention(const at::Tensor& query, const at::Tensor& key,
                             const at::Tensor& value, double scale) {
  const std::int64_t rows = query.size(2), keys = key.size(2);
  const std::int64_t groups = query.size(1) / key.size(1);
  const at::Tensor k = key.to(at::kDouble).repeat_interleave(groups, 1);
  const at::Tensor v = value.to(at::kDouble).repeat_interleave(groups, 1);
  std::vector<at::Tensor> outputs;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t visible = keys - rows + r + 1;
    const at::Tensor q = query.narrow(2, r, 1).to(at::kDouble) * scale;
    const at::Tensor scores = at::matmul(q, k.narrow(2, 0, visible).transpose(2, 3));
    outputs.push_back(at::matmul(at::softmax(scores, -1), v.narrow(2, 0, visible)));
  }
  return at::cat(outputs, 2).to(query.scalar_type());
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor scale = at::rsqrt(wide.pow(2).mean(-1, /*keepdim=*/true) + eps);
  return (wide * scale * weight.to(at::kDouble)).to(x.scalar_type());
}

}  // namespace niah::models::reference
