// What follows the mixer in a block: a gated MLP or a mixture of experts.
#pragma once

#include <torch/nn/module.h>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/arch/decoder.h"
#include "models/ops/experts.h"

namespace niah::models {

/// The second half of a block.
struct FeedForward : torch::nn::Module {
  /// x [B, T, d], normed → [B, T, d].
  virtual at::Tensor operator()(const at::Tensor& x) const = 0;
  /// Every row of its tensors, whose names begin with `prefix` and a dot.
  virtual std::vector<PartRows> parts(const std::string& prefix) const {
    return parts_of(Part::kMlp, prefix, *this);
  }
};

/// What the three projections of a SwiGLU are called.
struct GatedNames {
  std::string gate = "gate_proj", up = "up_proj", down = "down_proj";
};

/// down(silu(gate x) * up x), with biases on all three or on none.
struct GatedMlp : FeedForward {
  GatedMlp(TensorSource& source, const std::string& name, std::int64_t size, std::int64_t width,
           const GatedNames& names = {}, bool with_bias = false);
  at::Tensor operator()(const at::Tensor& x) const override;

  std::shared_ptr<Linear> gate, up, down;
};

/// A SwiGLU whose gate and up projections are one: x [.., d], gate_up [2f, d], the gate's rows
/// first, and down [d, f] → [.., d].
at::Tensor gated_product(const at::Tensor& x, const at::Tensor& gate_up, const at::Tensor& down);

/// mix_experts of gated MLPs, the matrices of all in one tensor: gate_up [E, 2w, d], down [E, d,
/// w].
at::Tensor mix_gated_experts(const at::Tensor& x, const Routing& routing, const at::Tensor& gate_up,
                             const at::Tensor& down);

/// Experts that are SwiGLUs: one by one, {e}.gate_proj.weight [f, d] and so on, or fused as
/// gate_up_proj [E, 2f, d], the gate's rows first, and down_proj [E, d, f]; which of them, the
/// tensors say, and where there are none yet, `is_fused`.
struct GatedExperts : torch::nn::Module {
  GatedExperts(TensorSource& source, const std::string& name, std::int64_t experts,
               std::int64_t size, std::int64_t width, bool is_fused, const GatedNames& names = {});
  /// What the experts of `routing` make of x [B, T, d], mixed: [B, T, d].
  at::Tensor operator()(const at::Tensor& x, const Routing& routing) const;

  std::int64_t count;
  std::vector<std::shared_ptr<GatedMlp>> each;  ///< empty where they are fused
  at::Tensor gate_up_proj, down_proj;
};

/// Sizes of a mixture with an expert for all tokens.
struct SharedExpertShape {
  std::int64_t d = 0, experts = 0, chosen = 0, ff = 0, shared_ff = 0;
  bool normalises = true;  ///< the weights of a token's experts sum to 1
  bool is_fused = false;   ///< see GatedExperts
};

/// Qwen's: the experts that a softmax chooses, and one for all tokens with a gate of its own, each
/// a SwiGLU. Tensors gate, experts, shared_expert, shared_expert_gate.
struct SharedExpertMixture : FeedForward {
  SharedExpertMixture(const SharedExpertShape& shape, TensorSource& source,
                      const std::string& name);
  std::vector<PartRows> parts(const std::string& prefix) const override;
  at::Tensor operator()(const at::Tensor& x) const override;

  SharedExpertShape shape;
  std::shared_ptr<Linear> gate, shared_expert_gate;
  std::shared_ptr<GatedExperts> experts;
  std::shared_ptr<GatedMlp> shared_expert;
};

/// A router by sigmoid scores, in fp32, with a correction that takes part in the choice alone.
struct SigmoidRouter : torch::nn::Module {
  SigmoidRouter(TensorSource& source, const std::string& name, std::int64_t experts,
                std::int64_t size);
  /// x [B, T, d].
  Routing operator()(const at::Tensor& x, const SigmoidRouting& how) const;

  at::Tensor weight, correction;  // [E, d], [E]
};

/// What a config calls the sizes of a routing.
struct RoutingFields {
  std::string groups = "n_group", chosen_groups = "topk_group", chosen = "num_experts_per_tok";
};

/// Refuses groups that do not divide the experts, and more experts a token than it can choose
/// among.
void check_routing(const ConfigReader& reader, const SigmoidRouting& routing, std::int64_t experts,
                   const RoutingFields& fields);

/// See ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const SharedExpertShape& shape);
void add_settings(std::map<std::string, std::string>& settings, const SigmoidRouting& routing);

/// The parts of a mixture whose child `experts` holds the experts.
std::vector<PartRows> parts_of_mixture(const std::string& prefix, const torch::nn::Module& mixture);

}  // namespace niah::models
