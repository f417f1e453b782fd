// Letters: B batch, T tokens of this pass, R wanted rows, d hidden size, Kh/Vh key and value heads
// of K and V. Equations: Gated DeltaNet, arXiv 2412.06464.
#include "models/arch/gated_delta_mixer.h"

#include <ATen/ATen.h>

#include "models/ops/gate.h"

namespace niah::models {
namespace {

/// Outputs of the input projections except the gate.
struct DeltaInputs {
  at::Tensor qkv;   ///< [B, T, channels], before the convolution
  at::Tensor b, a;  ///< [B, T, Vh]
};

/// The part that both layouts of the projections share.
struct DeltaMixer : Mixer {
  DeltaMixer(const GatedDeltaShape& sizes, TensorSource& source, const std::string& name)
      : Mixer(name), d(sizes.d), shape(sizes.net) {
    conv1d = register_module("conv1d", std::make_shared<ShortConvolution>(
                                           source, name + ".conv1d", shape.channels(), shape.taps));
    norm = add_norm(source, "norm", shape.value_dim, sizes.eps);
    out_proj = add_linear(source, "out_proj", shape.values(), d);
    a_log = register_parameter("A_log", source.tensor(name + ".A_log", {shape.value_heads}));
    dt_bias = register_parameter("dt_bias", source.tensor(name + ".dt_bias", {shape.value_heads}));
  }

  /// Everything after the input projections → [B, R, d]. `gate` computes z [B, R, Vh*V], and is
  /// called only if R > 0.
  template <typename Gate>
  at::Tensor mix_inputs(const DeltaInputs& in, const Gate& gate, const LayerStates& states,
                        std::int64_t rows) const {
    const at::Tensor qkv = swish((*conv1d)(in.qkv, states));
    const at::Tensor o = delta_net(shape, qkv, in.b, in.a, a_log, dt_bias, states, rows);
    if (rows == 0) return in.qkv.new_empty({in.qkv.size(0), 0, d});
    return (*out_proj)(gated_norm(o, *norm, gate()));
  }

  void claim_common(MixerInfo& info) const {
    claim(info, {{Part::kConvolution, "conv1d"},
                 {Part::kNorm, "norm"},
                 {Part::kOutput, "out_proj"},
                 {Part::kOther, "A_log"},
                 {Part::kOther, "dt_bias"}});
  }

  std::int64_t d;
  DeltaNetShape shape;
  std::shared_ptr<ShortConvolution> conv1d;
  std::shared_ptr<RmsNorm> norm;
  std::shared_ptr<Linear> out_proj;
  at::Tensor a_log, dt_bias;  // [Vh]
};

/// Qwen3.5: one projection for queries, keys and values, and one each for z, b and a.
struct SplitDeltaMixer : DeltaMixer {
  SplitDeltaMixer(const GatedDeltaShape& sizes, TensorSource& source, const std::string& name)
      : DeltaMixer(sizes, source, name) {
    in_proj_qkv = add_linear(source, "in_proj_qkv", d, shape.channels());
    in_proj_z = add_linear(source, "in_proj_z", d, shape.values());
    in_proj_b = add_linear(source, "in_proj_b", d, shape.value_heads);
    in_proj_a = add_linear(source, "in_proj_a", d, shape.value_heads);
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass&,
                 std::int64_t rows) const override {
    return mix_inputs(
        {(*in_proj_qkv)(x), (*in_proj_b)(x), (*in_proj_a)(x)},
        [&] { return (*in_proj_z)(last_rows(x, rows)); }, states, rows);
  }

  MixerInfo describe() const override {
    MixerInfo info = delta_net_info(shape);
    const std::int64_t keys = shape.keys(), values = shape.values();
    claim_rows(info, Part::kQuery, "in_proj_qkv", {"", 0, keys, keys, 1});
    claim_rows(info, Part::kKey, "in_proj_qkv", {"", keys, keys, keys, 1});
    claim_rows(info, Part::kValue, "in_proj_qkv", {"", 2 * keys, values, values, 1});
    claim(info,
          {{Part::kGate, "in_proj_z"}, {Part::kOther, "in_proj_b"}, {Part::kOther, "in_proj_a"}});
    claim_common(info);
    return info;
  }

  std::shared_ptr<Linear> in_proj_qkv, in_proj_z, in_proj_b, in_proj_a;
};

/// Qwen3-Next: rows in Kh groups, one per key head. Each group of in_proj_qkvz has the q and k of
/// the head, then v and z of its value heads; each group of in_proj_ba has their b, then their a.
struct FusedDeltaMixer : DeltaMixer {
  FusedDeltaMixer(const GatedDeltaShape& sizes, TensorSource& source, const std::string& name)
      : DeltaMixer(sizes, source, name),
        share(shape.value_heads / shape.key_heads),
        group(2 * shape.key_dim + 2 * share * shape.value_dim) {
    in_proj_qkvz = add_linear(source, "in_proj_qkvz", d, shape.key_heads * group);
    in_proj_ba = add_linear(source, "in_proj_ba", d, 2 * shape.value_heads);
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass&,
                 std::int64_t rows) const override {
    const std::int64_t k = shape.key_dim, v = share * shape.value_dim;
    const at::Tensor qkvz = (*in_proj_qkvz)(x).unflatten(-1, {shape.key_heads, group});
    const at::Tensor ba = (*in_proj_ba)(x).unflatten(-1, {shape.key_heads, 2 * share});
    const auto part = [](const at::Tensor& groups, std::int64_t first, std::int64_t count) {
      return groups.narrow(-1, first, count).flatten(-2);
    };
    const at::Tensor qkv = at::cat({part(qkvz, 0, k), part(qkvz, k, k), part(qkvz, 2 * k, v)}, -1);
    return mix_inputs(
        {qkv, part(ba, 0, share), part(ba, share, share)},
        [&] { return part(last_rows(qkvz, rows), 2 * k + v, v); }, states, rows);
  }

  MixerInfo describe() const override {
    MixerInfo info = delta_net_info(shape);
    const std::int64_t k = shape.key_dim, v = share * shape.value_dim;
    const auto rows = [&](std::int64_t first, std::int64_t count) -> TensorRows {
      return {"", first, count, group, shape.key_heads};
    };
    claim_rows(info, Part::kQuery, "in_proj_qkvz", rows(0, k));
    claim_rows(info, Part::kKey, "in_proj_qkvz", rows(k, k));
    claim_rows(info, Part::kValue, "in_proj_qkvz", rows(2 * k, v));
    claim_rows(info, Part::kGate, "in_proj_qkvz", rows(2 * k + v, v));
    claim(info, {{Part::kOther, "in_proj_ba"}});
    claim_common(info);
    return info;
  }

  std::int64_t share, group;  // value heads per key head, rows per group of in_proj_qkvz
  std::shared_ptr<Linear> in_proj_qkvz, in_proj_ba;
};

}  // namespace

std::shared_ptr<Mixer> make_gated_delta_mixer(const GatedDeltaShape& shape, TensorSource& source,
                                              const std::string& name) {
  if (shape.projections == DeltaProjections::kFused)
    return std::make_shared<FusedDeltaMixer>(shape, source, name);
  return std::make_shared<SplitDeltaMixer>(shape, source, name);
}

}  // namespace niah::models
