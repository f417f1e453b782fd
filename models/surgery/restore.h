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

/// The indices of the layers that the options ask for, bottom up: softmax layers, with `linear` the
/// others that have a query, a key or a value as well. Throws UsageError for an index that is none
/// of them, when none is left, and for a method that a layer cannot have.
std::vector<std::int64_t> choose_layers(const ModelInfo& info, const RestoreOptions& options,
                                        bool linear = false);

/// The weights of `post` with the projections of the chosen softmax layers restored from `pre`;
/// everything else is shared with `post`, whole tensors with `pre`. Throws DataError when a tensor
/// is missing or has another shape in `pre`, and what choose_layers throws.
WeightMap restore(const WeightMap& pre, const WeightMap& post, const ModelInfo& info,
                  const RestoreOptions& options);

/// `weights` of `model` under the names that `other`, the same model in maybe another layout, has
/// for them; what has no counterpart keeps its name.
WeightMap renamed(const WeightMap& weights, const ModelInfo& model, const ModelInfo& other);

/// The rows of a mixer that a method writes.
std::vector<PartRows> restored_rows(const MixerInfo& mixer, RestoreMethod method);

/// Puts `rows` of each tensor back, or what the method makes of them, in place: `into` holds the
/// weights after the fine-tune.
void restore_rows(const WeightMap& pre, WeightMap& into, const MixerInfo& mixer,
                  const std::vector<PartRows>& rows, const RestoreOptions& options);

/// Rows of a tensor as a view [repetitions, rows, ...].
at::Tensor view_rows(const at::Tensor& tensor, const TensorRows& rows);

/// A mixer's query [H, D, d] or key [H_kv, D, d] weights as a view of their tensor in `weights`.
at::Tensor query_heads(const WeightMap& weights, const MixerInfo& mixer);
at::Tensor key_heads(const WeightMap& weights, const MixerInfo& mixer);

/// `after` moved towards `restored` by alpha, in `after`'s element type.
at::Tensor interpolated(const at::Tensor& after, const at::Tensor& restored, double alpha);

/// The Procrustes step for one layer, linearised: per head, with W as [d_head, d_model] and
/// G = W_K W_K^T of its key head (from `pre`),
///   W_Q = W_Q_post + G (G + lambda I)^-1 (W_Q_pre - W_Q_post).
/// This is the paper's W_Q_post + (R_pre - W_Q_post W_K^T)(W_K W_K^T + lambda I)^-1 W_K with the
/// inverse pushed through to the d_head x d_head Gram matrix. In fp64, one key head at a time; W_Q
/// [H, D, d], W_K [H_kv, D, d]. Throws UsageError where G + lambda I is singular.
at::Tensor procrustes_query(const at::Tensor& query_pre, const at::Tensor& query_post,
                            const at::Tensor& key_pre, double lambda);

/// The Procrustes problem for one layer without linearising it: W_Q and W_K that minimise
/// sum |W_Q - W_Q_post|_F + |W_K - W_K_post|_F subject to W_Q^T W_K = W_Q_pre^T W_K_pre. All that
/// fulfil the constraint are W_Q_pre A and W_K_pre A^-T (here W [d_model, d_head]) with an
/// invertible A [d_head, d_head], one a key head and its query heads; A is found from A = I by
/// L-BFGS in fp64 on Gram matrices, so the result is never further from the fine-tune than
/// QK-Restore's. Where a norm or a rotary embedding follows the projections, the model sees more of
/// them than W_Q^T W_K, and A changes that. Takes and returns W_Q [H, D, d] and W_K [H_kv, D, d].
std::pair<at::Tensor, at::Tensor> procrustes_exact(const at::Tensor& query_pre,
                                                   const at::Tensor& query_post,
                                                   const at::Tensor& key_pre,
                                                   const at::Tensor& key_post);

}  // namespace niah::models
