// Mixture of experts: routing each token to experts, and the weighted sum of their outputs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace niah::models {

/// The k chosen experts of each token and their weights, best first.
struct Routing {
  at::Tensor experts;  ///< [B, T, k] int64
  at::Tensor weights;  ///< [B, T, k]
};

/// Scores are the softmax of `logits` [B, T, E] over all E experts, in fp32. Takes the `chosen`
/// best, with their scores as weights, divided by their sum if `normalised`; weights are returned
/// in type `weights` (Qwen3-Next, MiniMax).
Routing route_by_softmax(const at::Tensor& logits, std::int64_t chosen, bool normalised,
                         at::ScalarType weights);

/// Takes the `chosen` best of `logits` [B, T, E], with the softmax over those alone as weights,
/// computed in fp32 and returned in the logits' type (Granite 4).
Routing route_by_chosen_softmax(const at::Tensor& logits, std::int64_t chosen);

/// How experts and weights follow from sigmoid scores.
struct SigmoidRouting {
  std::int64_t chosen = 1;         ///< experts per token
  std::int64_t groups = 1;         ///< number of groups of consecutive experts
  std::int64_t chosen_groups = 1;  ///< groups, by the sum of their two best, to choose experts from
  bool normalised = true;          ///< whether weights are divided by their sum + `epsilon`
  double epsilon = 1e-20;
  double scale = 1;  ///< factor on the weights
};

/// Scores are the sigmoid of `logits` [B, T, E], in their type. Takes the experts with the largest
/// score + bias (bias [E], or undefined for none), weighted by the scores without the bias
/// (DeepSeek-V3, arXiv 2412.19437, in fp32: Nemotron-H, Kimi Linear; without groups: LFM2).
Routing route_by_sigmoid(const at::Tensor& logits, const at::Tensor& bias,
                         const SigmoidRouting& how);

/// Applies one expert to tokens [n, 1, d] → [n, 1, d'].
using RunExpert = std::function<at::Tensor(std::int64_t expert, const at::Tensor& tokens)>;

/// Whether grouped_product supports x and weights [E, out, in]: bf16 on a GPU.
bool has_grouped_products(const at::Tensor& x, const at::Tensor& weights);

/// Products of tokens [n, in], sorted by expert, with the matrix of their expert in `weights`
/// [E, out, in] → [n, out], as one operation. `ends` [E] int32: entry e is the number of tokens of
/// experts 0 to e.
at::Tensor grouped_product(const at::Tensor& tokens, const at::Tensor& weights,
                           const at::Tensor& ends);

/// Applies all experts to tokens [n, d] sorted by expert → [n, d']; `ends`: see grouped_product.
using RunExperts = std::function<at::Tensor(const at::Tensor& tokens, const at::Tensor& ends)>;

/// Like mix_experts, for experts that run as one grouped operation, so that the host need not wait
/// for the device to count the tokens of each expert. A token's sum is taken in the order of its
/// chosen experts.
at::Tensor mix_grouped_experts(const at::Tensor& x, const Routing& routing, std::int64_t experts,
                               const RunExperts& run);

/// y = sum over a token's experts of weight * expert(x): x [B, T, d] → [B, T, d']. Each product is
/// rounded to x's type, the sum is taken in fp32. Every expert that has tokens runs once, on all of
/// them; the others do not run. A token's sum is taken in ascending order of experts, independent
/// of other tokens.
at::Tensor mix_experts(const at::Tensor& x, const Routing& routing, std::int64_t experts,
                       const RunExpert& run);

}  // namespace niah::models
