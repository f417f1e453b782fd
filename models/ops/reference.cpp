#include "models/ops/reference.h"

#include <ATen/ATen.h>

#include <algorithm>
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

DeltaRuleResult gated_delta_rule(const at::Tensor& query, const at::Tensor& key,
                                 const at::Tensor& value, const at::Tensor& log_decay,
                                 const at::Tensor& beta, const at::Tensor& state) {
  const std::int64_t share = value.size(1) / query.size(1);
  const at::Tensor q = query.to(at::kDouble).repeat_interleave(share, 1);
  const at::Tensor k = key.to(at::kDouble).repeat_interleave(share, 1);
  const at::Tensor v = value.to(at::kDouble);
  const at::Tensor decay = at::exp(log_decay.to(at::kDouble)), b = beta.to(at::kDouble);
  at::Tensor s = state.defined()
                     ? state.to(at::kDouble)
                     : at::zeros({q.size(0), q.size(1), q.size(3), v.size(3)}, q.options());
  std::vector<at::Tensor> outputs;
  for (std::int64_t t = 0; t < q.size(2); ++t) {
    const auto at_t = [&](const at::Tensor& x) { return x.narrow(2, t, 1); };
    s = s * (decay.dim() == 4 ? at_t(decay).transpose(2, 3) : at_t(decay).unsqueeze(-1));
    const at::Tensor u = at_t(b).unsqueeze(-1) * (at_t(v) - at::matmul(at_t(k), s));
    s = s + at::matmul(at_t(k).transpose(2, 3), u);
    outputs.push_back(at::matmul(at_t(q), s));
  }
  return {at::cat(outputs, 2).to(query.scalar_type()), s.to(query.scalar_type())};
}

Mamba2Result mamba2(const at::Tensor& x, const at::Tensor& step, const at::Tensor& log_decay,
                    const at::Tensor& input, const at::Tensor& readout, const at::Tensor& state) {
  const std::int64_t heads = x.size(1), repeats = heads / input.size(1);
  const auto wide = [&](const at::Tensor& groups) {
    return groups.to(at::kDouble).repeat_interleave(repeats, 1);
  };
  const at::Tensor values = x.to(at::kDouble), b = wide(input), c = wide(readout);
  const at::Tensor left = at::exp(log_decay.to(at::kDouble)), dt = step.to(at::kDouble);
  at::Tensor s = state.defined()
                     ? state.to(at::kDouble)
                     : at::zeros({x.size(0), heads, x.size(3), b.size(3)}, values.options());
  std::vector<at::Tensor> outputs;
  for (std::int64_t t = 0; t < x.size(2); ++t) {
    const auto at_t = [&](const at::Tensor& all) { return all.narrow(2, t, 1); };
    const at::Tensor taken = (at_t(values) * at_t(dt).unsqueeze(-1)).transpose(-1, -2);
    s = s * at_t(left).unsqueeze(-1) + at::matmul(taken, at_t(b));
    outputs.push_back(at::matmul(at_t(c), s.transpose(-1, -2)));
  }
  return {at::cat(outputs, 2).to(x.scalar_type()), s.to(x.scalar_type())};
}

at::Tensor mix_experts(const at::Tensor& x, const Routing& routing, std::int64_t experts,
                       const RunExpert& run) {
  std::vector<at::Tensor> outputs;
  for (std::int64_t b = 0; b < x.size(0); ++b)
    for (std::int64_t t = 0; t < x.size(1); ++t) {
      at::Tensor sum;
      for (std::int64_t expert = 0; expert < experts; ++expert) {
        const at::Tensor weight =  // of this expert, zero where it is not chosen
            (routing.weights[b][t].to(at::kDouble) * routing.experts[b][t].eq(expert)).sum();
        const at::Tensor part = run(expert, x[b][t].view({1, 1, -1})).to(at::kDouble) * weight;
        sum = sum.defined() ? sum + part : part;
      }
      outputs.push_back(sum.view({-1}));
    }
  return at::stack(outputs).view({x.size(0), x.size(1), -1}).to(x.scalar_type());
}

at::Tensor short_convolution(const at::Tensor& x, const at::Tensor& weight,
                             const at::Tensor& bias) {
  const at::Tensor wide = x.to(at::kDouble).contiguous();
  const at::Tensor taps = weight.to(at::kDouble).contiguous();
  const auto in = wide.accessor<double, 3>(), w = taps.accessor<double, 3>();
  at::Tensor output = at::zeros(x.sizes(), wide.options());
  auto y = output.accessor<double, 3>();
  for (std::int64_t b = 0; b < x.size(0); ++b)
    for (std::int64_t t = 0; t < x.size(1); ++t)
      for (std::int64_t c = 0; c < x.size(2); ++c) {
        y[b][t][c] = bias.defined() ? bias[c].item<double>() : 0;
        for (std::int64_t m = 0, k = weight.size(2); m < k; ++m)
          if (t - k + 1 + m >= 0) y[b][t][c] += w[c][0][m] * in[b][t - k + 1 + m][c];
      }
  return output.to(x.scalar_type());
}

at::Tensor softmax_attention(const at::Tensor& query, const at::Tensor& key,
                             const at::Tensor& value, double scale) {
  return window_attention(query, key, value, key.size(2), scale);
}

at::Tensor window_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            std::int64_t window, double scale) {
  const std::int64_t rows = query.size(2), keys = key.size(2);
  const std::int64_t groups = query.size(1) / key.size(1);
  const at::Tensor k = key.to(at::kDouble).repeat_interleave(groups, 1);
  const at::Tensor v = value.to(at::kDouble).repeat_interleave(groups, 1);
  std::vector<at::Tensor> outputs;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t end = keys - rows + r + 1, visible = std::min(end, window);
    const at::Tensor q = query.narrow(2, r, 1).to(at::kDouble) * scale;
    const at::Tensor scores = at::matmul(q, k.narrow(2, end - visible, visible).transpose(2, 3));
    outputs.push_back(at::matmul(at::softmax(scores, -1), v.narrow(2, end - visible, visible)));
  }
  return at::cat(outputs, 2).to(query.scalar_type());
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor scale = at::rsqrt(wide.pow(2).mean(-1, /*keepdim=*/true) + eps);
  return (wide * scale * weight.to(at::kDouble)).to(x.scalar_type());
}

}  // namespace niah::models::reference
