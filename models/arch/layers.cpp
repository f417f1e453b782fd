#include "models/arch/layers.h"

#include <ATen/ATen.h>

#include "models/ops/attention.h"
#include "models/ops/gate.h"
#include "models/ops/projection.h"
#include "models/ops/rotary.h"
#include "models/ops/short_convolution.h"

namespace niah::models {

Linear::Linear(TensorSource& source, const std::string& name, std::int64_t in, std::int64_t out,
               bool with_bias) {
  weight = register_parameter("weight", source.tensor(name + ".weight", {out, in}));
  if (with_bias) bias = register_parameter("bias", source.tensor(name + ".bias", {out}));
}

at::Tensor Linear::operator()(const at::Tensor& x) const { return project(x, weight, bias); }

RmsNorm::RmsNorm(TensorSource& source, const std::string& name, std::int64_t size, double eps,
                 NormRounding rounding)
    : eps(eps), rounding(rounding) {
  weight = register_parameter("weight", source.tensor(name + ".weight", {size}));
}

at::Tensor RmsNorm::operator()(const at::Tensor& x) const {
  return rms_norm(x, weight, eps, rounding);
}

Embedding::Embedding(TensorSource& source, const std::string& name, std::int64_t vocab,
                     std::int64_t size) {
  weight = register_parameter("weight", source.tensor(name + ".weight", {vocab, size}));
}

at::Tensor Embedding::operator()(const at::Tensor& ids) const { return at::embedding(weight, ids); }

ShortConvolution::ShortConvolution(TensorSource& source, const std::string& name,
                                   std::int64_t channels, std::int64_t taps, bool with_bias) {
  weight = register_parameter("weight", source.tensor(name + ".weight", {channels, 1, taps}));
  if (with_bias) bias = register_parameter("bias", source.tensor(name + ".bias", {channels}));
}

at::Tensor ShortConvolution::operator()(const at::Tensor& x, const LayerStates& states) const {
  return convolve(x, weight, bias, states);
}

at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    const LayerStates& states) {
  const ShortConvolutionResult result =
      short_convolution(x, weight, bias, states.joined(&RecurrentState::tail));
  states.store(&RecurrentState::tail, result.tail);
  return result.output;
}

at::Tensor split_heads(const at::Tensor& x, std::int64_t head_dim) {
  return x.view({x.size(0), x.size(1), -1, head_dim}).transpose(1, 2);
}

at::Tensor merge_heads(const at::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), -1});
}

at::Tensor last_rows(const at::Tensor& x, std::int64_t rows) {
  return rows == x.size(1) ? x : x.narrow(1, x.size(1) - rows, rows);
}

at::Tensor rotate(const at::Tensor& x, const Pass& pass, const Rotation& how) {
  const std::int64_t rows = x.size(2), skipped = pass.tokens - rows;
  const auto of_rows = [&](const at::Tensor& usual, const at::Tensor& of_windows) {
    return (how.by_window_tables ? of_windows : usual).narrow(-2, skipped, rows);
  };
  const at::Tensor cos = of_rows(pass.cos, pass.window_cos);
  const at::Tensor sin = of_rows(pass.sin, pass.window_sin);
  if (!how.rounds_once) return apply_rotary(x, cos, sin);
  return apply_rotary(x.to(at::kFloat), cos, sin).to(x.scalar_type());
}

namespace {

at::Tensor attend_one(const at::Tensor& query, const KeyValue& seen, const Attention& attention,
                      const Pass& pass) {
  const AttentionInputs inputs{query, seen.key, seen.value, attention.scale, attention.window};
  if (pass.watch) pass.watch(inputs);
  if (pass.attend) return pass.attend(inputs);
  if (attention.window > 0)
    return attend_window(query, seen.key, seen.value, attention.window, attention.scale);
  return attention.cached ? attend_cached(query, seen.key, seen.value, attention.scale)
                          : attend_whole(query, seen.key, seen.value, attention.scale);
}

}  // namespace

at::Tensor attend(const at::Tensor& query, const std::vector<KeyValue>& seen,
                  const Attention& attention, const Pass& pass) {
  if (seen.size() == 1) return attend_one(query, seen.front(), attention, pass);
  std::vector<at::Tensor> outputs;
  for (std::size_t i = 0; i < seen.size(); ++i)
    outputs.push_back(
        attend_one(query.narrow(0, static_cast<std::int64_t>(i), 1), seen[i], attention, pass));
  return at::cat(outputs);
}

}  // namespace niah::models
