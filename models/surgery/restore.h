// QK-Restore: putting W_Q and W_K of the softmax layers back to their values before a fine-tune
// (arXiv 2606.11052).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/causal_lm.h"
#include "models/surgery/restore_options.h"
#include "models/weights.h"

namespace niah::models {

/// The weights of `post` with the projections of the chosen softmax layers, or with kParts the rows
/// of these parts, restored from `pre`. Nothing is copied that can be shared: unchanged tensors are
/// those of `post`, entirely restored ones those of `pre`. Throws DataError if a tensor is missing
/// or has another shape in `pre`, and what choose_layers and rows_of_parts throw.
WeightMap restore(const WeightMap& pre, const WeightMap& post, const ModelInfo& info,
                  const RestoreOptions& options);

/// The `weights` of `model` under the tensor names of `other`, which is the same model, possibly in
/// another tensor layout; tensors without a counterpart keep their names.
WeightMap renamed(const WeightMap& weights, const ModelInfo& model, const ModelInfo& other);

/// Restores `rows` in `into`, which holds the weights after the fine-tune: copies them from `pre`,
/// or computes them as the method requires.
void restore_rows(const WeightMap& pre, WeightMap& into, const MixerInfo& mixer,
                  const std::vector<PartRows>& rows, const RestoreOptions& options);

/// Replaces `rows` in `into`, which holds the weights after the fine-tune, by those of `pre`, or
/// goes the way there as far as `alpha`.
void copy_rows(const WeightMap& pre, WeightMap& into, const std::vector<PartRows>& rows,
               double alpha);

/// A view [repetitions, rows, ...] of rows of a tensor.
at::Tensor view_rows(const at::Tensor& tensor, const TensorRows& rows);

/// W_Q [H, D, d] or W_K [H_kv, D, d] of a mixer, as a view of the tensor in `weights`.
at::Tensor query_heads(const WeightMap& weights, const MixerInfo& mixer);
at::Tensor key_heads(const WeightMap& weights, const MixerInfo& mixer);

/// after + alpha (restored - after), in the element type of `after`.
at::Tensor interpolated(const at::Tensor& after, const at::Tensor& restored, double alpha);

/// QK-Pro, the linearised Procrustes step, for one layer. Per head, with W as [d_head, d_model] and
/// G = W_K W_K^T of its key head (from `pre`),
///   W_Q = W_Q_post + G (G + lambda I)^-1 (W_Q_pre - W_Q_post).
/// This is the paper's W_Q_post + (R_pre - W_Q_post W_K^T)(W_K W_K^T + lambda I)^-1 W_K with the
/// inverse rewritten for the d_head x d_head Gram matrix. Takes and returns W_Q [H, D, d], W_K is
/// [H_kv, D, d]; computes in fp64, one key head at a time. Throws UsageError if G + lambda I is
/// singular.
at::Tensor procrustes_query(const at::Tensor& query_pre, const at::Tensor& query_post,
                            const at::Tensor& key_pre, double lambda);

/// The exact Procrustes problem for one layer: W_Q and W_K that minimise
/// sum |W_Q - W_Q_post|_F + |W_K - W_K_post|_F subject to W_Q^T W_K = W_Q_pre^T W_K_pre. The
/// solutions of the constraint are W_Q_pre A and W_K_pre A^-T (here W is [d_model, d_head]) with an
/// invertible A [d_head, d_head], one per key head and the query heads that share it. A is found by
/// L-BFGS, starting from A = I, in fp64 on Gram matrices, so the result is never further from the
/// fine-tune than that of QK-Restore. If a norm or a rotary embedding follows the projections, the
/// attention logits depend on more than W_Q^T W_K, and A changes them. Takes and returns W_Q
/// [H, D, d] and W_K [H_kv, D, d].
std::pair<at::Tensor, at::Tensor> procrustes_exact(const at::Tensor& query_pre,
                                                   const at::Tensor& query_post,
                                                   const at::Tensor& key_pre,
                                                   const at::Tensor& key_post);

}  // namespace niah::models
