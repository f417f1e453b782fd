// The feed-forward part of a block: a gated MLP or a mixture of experts.
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

/// The feed-forward part of a block.
struct FeedForward : torch::nn::Module {
  /// x [B, T, d], after the block's norm → [B, T, d].
  virtual at::Tensor operator()(const at::Tensor& x) const = 0;
  /// All rows of its tensors; tensor names begin with `prefix` and a dot.
  virtual std::vector<PartRows> parts(const std::string& prefix) const {
    return parts_of(Part::kMlp, prefix, *this);
  }
};

/// Module names of the three projections of a SwiGLU.
struct GatedNames {
  std::string gate = "gate_proj", up = "up_proj", down = "down_proj";
};

/// A SwiGLU, down(silu(gate x) * up x), with biases on all three projections or on none.
struct GatedMlp : FeedForward {
  GatedMlp(TensorSource& source, const std::string& name, std::int64_t size, std::int64_t width,
           const GatedNames& names = {}, bool with_bias = false);
  at::Tensor operator()(const at::Tensor& x) const override;

  std::shared_ptr<Linear> gate, up, down;
};

/// A SwiGLU with fused gate and up projections: x [.., d], gate_up [2f, d] (the rows of gate
/// first), down [d, f] → [.., d].
at::Tensor gated_product(const at::Tensor& x, const at::Tensor& gate_up, const at::Tensor& down);

/// mix_experts for experts that are such SwiGLUs, with the matrices of all experts in one tensor:
/// gate_up [E, 2f, d], down [E, d, f].
at::Tensor mix_gated_experts(const at::Tensor& x, const Routing& routing, const at::Tensor& gate_up,
                             const at::Tensor& down);

/// Experts that are SwiGLUs, in either of two layouts: separate tensors, {e}.gate_proj.weight [f,
/// d] and so on, or fused ones, gate_up_proj [E, 2f, d] (the rows of gate first) and down_proj [E,
/// d, f]. The layout follows the tensors in `source`; without tensors, `is_fused` decides.
struct GatedExperts : torch::nn::Module {
  GatedExperts(TensorSource& source, const std::string& name, std::int64_t experts,
               std::int64_t size, std::int64_t width, bool is_fused, const GatedNames& names = {});
  /// mix_experts: x [B, T, d] → [B, T, d].
  at::Tensor operator()(const at::Tensor& x, const Routing& routing) const;

  std::int64_t count;
  std::vector<std::shared_ptr<GatedMlp>> each;  ///< empty if fused
  at::Tensor gate_up_proj, down_proj;
};

/// Sizes of a mixture of experts with a shared expert.
struct SharedExpertShape {
  std::int64_t d = 0, experts = 0, chosen = 0, ff = 0, shared_ff = 0;
  bool normalises = true;  ///< whether the weights of a token's experts sum to 1
  bool is_fused = false;   ///< see GatedExperts
};

/// Qwen's mixture of experts: experts chosen by a softmax, plus a shared expert with a sigmoid
/// gate; all are SwiGLUs. Modules gate, experts, shared_expert, shared_expert_gate.
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

/// A router with sigmoid scores in fp32, and a correction bias that affects only which experts are
/// chosen, not their weights.
struct SigmoidRouter : torch::nn::Module {
  SigmoidRouter(TensorSource& source, const std::string& name, std::int64_t experts,
                std::int64_t size);
  /// Routes the tokens of x [B, T, d].
  Routing operator()(const at::Tensor& x, const SigmoidRouting& how) const;

  at::Tensor weight, correction;  // [E, d], [E]
};

/// Names of the config fields for the sizes of a routing.
struct RoutingFields {
  std::string groups = "n_group", chosen_groups = "topk_group", chosen = "num_experts_per_tok";
};

/// Throws DataError if groups do not divide the experts, or a token would have more experts than
/// there are to choose from.
void check_routing(const ConfigReader& reader, const SigmoidRouting& routing, std::int64_t experts,
                   const RoutingFields& fields);

/// Adds the fields that affect the result to ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const SharedExpertShape& shape);
void add_settings(std::map<std::string, std::string>& settings, const SigmoidRouting& routing);

/// The parts of a mixture: tensors of its child `experts` are kExpert, all others kMlp.
std::vector<PartRows> parts_of_mixture(const std::string& prefix, const torch::nn::Module& mixture);

}  // namespace niah::models
