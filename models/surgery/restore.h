// QK-Restore: putting W_Q and W_K of the softmax layers back (arXiv 2606.11052).
#pragma once

#include <string>
#include <vector>

#include "models/causal_lm.h"
#include "models/weights.h"

namespace niah::models {

/// What is taken from the checkpoint before the fine-tune.
enum class RestoreMethod {
  kQk,     ///< W_Q and W_K: QK-Restore
  kQkPro,  ///< W_K, and W_Q moved so that W_Q W_K^T is the old one: the Procrustes variant
  kQ,      ///< W_Q alone (ablation)
  kK,      ///< W_K alone (ablation)
  kV,      ///< W_V alone (ablation)
};

/// "qk", "qk-pro", "q", "k", "v". Throws UsageError for another name, with the nearest one.
RestoreMethod parse_restore_method(const std::string& name);
std::string restore_method_name(RestoreMethod method);

struct RestoreOptions {
  RestoreMethod method = RestoreMethod::kQk;
  double lambda = 0.1;  ///< ridge of kQkPro
  /// Sliding-window layers, too. They never see far back, so by default they stay as they are.
  bool windows = false;
};

/// The weights of `post` with the projections of `layers` restored from `pre`; everything else is
/// shared with `post`. Throws DataError when a tensor is missing or has another shape in `pre`.
WeightMap restore(const WeightMap& pre, const WeightMap& post,
                  const std::vector<SoftmaxLayer>& layers, const RestoreOptions& options);

/// The Procrustes step for one layer, linearised: per head, with W as [d_head, d_model] and
/// G = W_K W_K^T of its key head (from `pre`),
///   W_Q = W_Q_post + G (G + lambda I)^-1 (W_Q_pre - W_Q_post).
/// This is the paper's W_Q_post + (R_pre - W_Q_post W_K^T)(W_K W_K^T + lambda I)^-1 W_K with the
/// inverse pushed through to the d_head x d_head Gram matrix. In fp64; W_Q [H*D, d], W_K [H_kv*D,
/// d].
at::Tensor procrustes_query(const at::Tensor& query_pre, const at::Tensor& query_post,
                            const at::Tensor& key_pre, const SoftmaxLayer& layer, double lambda);

}  // namespace niah::models
