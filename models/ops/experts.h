// Mixtures of experts: which experts a token goes to, with which weights, and their sum.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace niah::models {

/// The k experts of each token and their weights, best first.
struct Routing {
  at::Tensor experts;  ///< [B, T, k] int64
  at::Tensor weights;  ///< [B, T, k]
};

/// Scores are a softmax of `logits` [B, T, E] over all experts, in fp32; the `chosen` best are
/// taken, with their scores as weights, divided by their sum if `normalised`, in type `weights`
/// (Qwen3-Next, MiniMax).
Routing route_by_softmax(const at::Tensor& logits, std::int64_t chosen, bool normalised,
                         at::ScalarType weights);

/// The `chosen` best of `logits` [B, T, E], with a softmax over those alone as weights, computed in
/// fp32, in the logits' type (Granite 4).
Routing route_by_chosen_softmax(const at::Tensor& logits, std::int64_t chosen);

/// How sigmoid scores become weights.
struct SigmoidRouting {
  std::int64_t chosen = 1;
  std::int64_t groups = 1;         ///< of experts that follow each other
  std::int64_t chosen_groups = 1;  ///< by the sum of a group's two best; experts of others are out
  bool normalised = true;          ///< divided by their sum + `epsilon`
  double epsilon = 1e-20;
  double scale = 1;  ///< on the weights
};

/// Scores are the sigmoid of `logits` [B, T, E], in their type; the best of score + bias (bias [E],
/// or undefined) are taken, and weighted by the scores without it (DeepSeek-V3, arXiv 2412.19437,
/// in fp32: Nemotron-H, Kimi Linear; LFM2 without groups).
Routing route_by_sigmoid(const at::Tensor& logits, const at::Tensor& bias,
                         const SigmoidRouting& how);

/// Expert number `expert` of tokens [n, 1, d] → [n, 1, d'].
using RunExpert = std::function<at::Tensor(std::int64_t expert, const at::Tensor& tokens)>;

/// Whether experts with these weights [E, out, in] have all their products with x made at once,
/// which a GPU does in bf16.
bool has_grouped_products(const at::Tensor& x, const at::Tensor& weights);

/// tokens [n, in], sorted by expert, times each one's matrix of weights [E, out, in] → [n, out];
/// `ends` [E] int32 says how many tokens go to an expert or to one before it.
at::Tensor grouped_product(const at::Tensor& tokens, const at::Tensor& weights,
                           const at::Tensor& ends);

/// All experts of tokens [n, d] that are sorted by expert → [n, d'].
using RunExperts = std::function<at::Tensor(const at::Tensor& tokens, const at::Tensor& ends)>;

/// mix_experts for experts that run at once: nobody waits for the device to say how many tokens
/// each has. A token's sum is in the order of its choice.
at::Tensor mix_grouped_experts(const at::Tensor& x, const Routing& routing, std::int64_t experts,
                               const RunExperts& run);

/// y = sum over a token's experts of weight * expert(x): x [B, T, d] → [B, T, d'], each product
/// rounded to x's type, their sum in fp32. Every expert that has tokens runs once, on all of its
/// tokens; the others are not touched. A token's sum is in the experts' order, whoever else goes to
/// them.
at::Tensor mix_experts(const at::Tensor& x, const Routing& routing, std::int64_t experts,
                       const RunExpert& run);

}  // namespace niah::models
