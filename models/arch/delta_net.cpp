#include "models/arch/delta_net.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "models/arch/decoder.h"
#include "models/ops/delta_rule.h"
#include "models/ops/gate.h"

namespace niah::models {
namespace {

/// x / sqrt(sum x^2 + 1e-6) over each head, in fp32: [B, T, H * K] → [B, H, T, K].
at::Tensor unit_heads(const at::Tensor& x, std::int64_t head_dim) {
  constexpr double kEps = 1e-6;
  const at::Tensor wide = x.unflatten(-1, {-1, head_dim}).transpose(1, 2).to(at::kFloat);
  return wide * at::rsqrt(wide.square().sum(-1, /*keepdim=*/true) + kEps);
}

}  // namespace

std::vector<DeltaHybridLayer> read_delta_hybrid_layers(ConfigReader& reader, std::int64_t count,
                                                       std::int64_t interval) {
  auto layers = kinds_of_layers<DeltaHybridLayer>(reader, "layer_types",
                                                  reader.text_list("layer_types"), count,
                                                  {{"full_attention", DeltaHybridLayer::kSoftmax},
                                                   {"linear_attention", DeltaHybridLayer::kDelta}},
                                                  "full_attention and linear_attention");
  if (!layers.empty()) return layers;
  for (std::int64_t i = 0; i < count; ++i)
    layers.push_back((i + 1) % interval == 0 ? DeltaHybridLayer::kSoftmax
                                             : DeltaHybridLayer::kDelta);
  return layers;
}

at::Tensor delta_net(const DeltaNetShape& shape, const at::Tensor& qkv, const at::Tensor& b,
                     const at::Tensor& a, const at::Tensor& a_log, const at::Tensor& dt_bias,
                     const LayerStates& states, std::int64_t rows) {
  const std::int64_t keys = shape.keys();
  const at::Tensor q = unit_heads(qkv.narrow(-1, 0, keys), shape.key_dim);  // [B, Kh, T, K]
  const at::Tensor k = unit_heads(qkv.narrow(-1, keys, keys), shape.key_dim);
  const at::Tensor v = qkv.narrow(-1, 2 * keys, shape.values())  // [B, Vh, T, V]
                           .unflatten(-1, {-1, shape.value_dim})
                           .transpose(1, 2)
                           .to(at::kFloat);
  const at::Tensor beta = each_sequence(b, [&](const at::Tensor& one) {  // [B, Vh, T]
    const at::Tensor step = at::sigmoid(one).to(at::kFloat).transpose(1, 2);
    return shape.doubles_beta ? step * 2 : step;
  });
  at::Tensor log_decay = each_sequence(a, [&](const at::Tensor& one) {  // [B, Vh, T, 1 or K], <= 0
    const at::Tensor step = at::softplus(one.to(at::kFloat) + dt_bias.to(at::kFloat));
    const at::Tensor rate = -at::exp(a_log.to(at::kFloat)).reshape({-1, 1});  // [Vh, 1]
    return (rate * step.unflatten(-1, {shape.value_heads, -1})).transpose(1, 2);
  });
  if (log_decay.size(-1) == 1) log_decay = log_decay.squeeze(-1);
  const double scale = 1 / std::sqrt(static_cast<double>(shape.key_dim));
  const DeltaRuleResult result =
      gated_delta_rule(q * scale, k, v, log_decay, beta, states.joined(&RecurrentState::recurrent));
  states.store(&RecurrentState::recurrent, result.state);
  const at::Tensor last = result.output.narrow(2, result.output.size(2) - rows, rows);
  return last.transpose(1, 2).to(qkv.scalar_type()).contiguous();
}

at::Tensor gated_norm(const at::Tensor& o, const RmsNorm& norm, const at::Tensor& gate) {
  return silu_gated(norm(o).flatten(-2), gate);
}

void add_settings(std::map<std::string, std::string>& settings, const DeltaNetShape& shape) {
  settings["linear_num_key_heads"] = fmt::to_string(shape.key_heads);
  settings["linear_num_value_heads"] = fmt::to_string(shape.value_heads);
  settings["linear_key_head_dim"] = fmt::to_string(shape.key_dim);
  settings["linear_value_head_dim"] = fmt::to_string(shape.value_dim);
  settings["linear_conv_kernel_dim"] = fmt::to_string(shape.taps);
}

MixerInfo delta_net_info(const DeltaNetShape& shape) {
  MixerInfo info;
  info.letter = 'L';
  info.name = "gated delta rule";
  info.cost = linear_cost(shape.value_heads, shape.key_dim, shape.value_dim,
                          (shape.taps - 1) * shape.channels());
  return info;
}

}  // namespace niah::models
