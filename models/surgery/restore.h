// QK-Restore: putting W_Q and W_K of the softmax layers back (arXiv 2606.11052).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/causal_lm.h"
#include "models/surgery/restore_options.h"
#include "models/weights.h"

namespace niah::models {

/// The layers that the options ask for. Throws UsageError for an index that is none of them, and
/// when none is left.
std::vector<SoftmaxLayer> choose_layers(const std::vector<SoftmaxLayer>& layers,
                                        const RestoreOptions& options);

/// The linear layers' projections of the same names, for who wants those back as well: the paper
/// leaves them. Only methods that copy apply to them.
std::vector<SoftmaxLayer> linear_layers(const CausalLM& model);

/// The weights of `post` with the projections of the chosen `layers` restored from `pre`;
/// everything else is shared with `post`. Throws DataError when a tensor is missing or has another
/// shape in `pre`, and what choose_layers throws.
WeightMap restore(const WeightMap& pre, const WeightMap& post,
                  const std::vector<SoftmaxLayer>& layers, const RestoreOptions& options);

/// The tensors of a layer that a method writes.
std::vector<std::string> restored_names(const SoftmaxLayer& layer, RestoreMethod method);

/// `count` heads of a projection [H*D, d], from head `first`, in fp64 as [count, D, d]: a few at a
/// time, since this is large.
at::Tensor part_of_heads(const at::Tensor& weight, std::int64_t first, std::int64_t count,
                         const SoftmaxLayer& layer);

/// The same as restore for one layer, in place: `into` holds the weights after the fine-tune.
void restore_layer(const WeightMap& pre, WeightMap& into, const SoftmaxLayer& layer,
                   const RestoreOptions& options);

/// `after` moved towards `restored` by alpha, in `after`'s element type.
at::Tensor interpolated(const at::Tensor& after, const at::Tensor& restored, double alpha);

/// The Procrustes step for one layer, linearised: per head, with W as [d_head, d_model] and
/// G = W_K W_K^T of its key head (from `pre`),
///   W_Q = W_Q_post + G (G + lambda I)^-1 (W_Q_pre - W_Q_post).
/// This is the paper's W_Q_post + (R_pre - W_Q_post W_K^T)(W_K W_K^T + lambda I)^-1 W_K with the
/// inverse pushed through to the d_head x d_head Gram matrix. In fp64; W_Q [H*D, d], W_K [H_kv*D,
/// d].
at::Tensor procrustes_query(const at::Tensor& query_pre, const at::Tensor& query_post,
                            const at::Tensor& key_pre, const SoftmaxLayer& layer, double lambda);

/// The Procrustes problem for one layer without linearising it: W_Q and W_K that minimise
/// sum |W_Q - W_Q_post|_F + |W_K - W_K_post|_F subject to W_Q W_K^T = W_Q_pre W_K_pre^T. All that
/// fulfil the constraint are W_Q_pre A and W_K_pre A^-T (here W [d_model, d_head]) with an
/// invertible A [d_head, d_head], one a key head and its query heads; A is found from A = I by
/// L-BFGS in fp64 on Gram matrices, so the result is never further from the fine-tune than
/// QK-Restore's. Where a norm or a rotary embedding follows the projections, the model sees more of
/// them than W_Q W_K^T, and A changes that. Returns (W_Q, W_K).
std::pair<at::Tensor, at::Tensor> procrustes_exact(const at::Tensor& query_pre,
                                                   const at::Tensor& query_post,
                                                   const at::Tensor& key_pre,
                                                   const at::Tensor& key_post,
                                                   const SoftmaxLayer& layer);

}  // namespace niah::models
