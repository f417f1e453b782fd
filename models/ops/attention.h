// Softmax attention over a KV cache, causal, with grouped heads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace niah::models {

/// softmax(scale * q k^T) v for the last R positions of a sequence of n: q [B, H, R, D], key and
/// value [B, H_kv, n, D]; query row r stands at position n - R + r and sees the keys up to its own.
/// Softmax sums in fp32. Neither a mask of R x n nor repeated key/value heads are made. No
/// gradients.
at::Tensor attend_cached(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         double scale);

/// The same for a whole sequence (R = n), differentiable.
at::Tensor attend_whole(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                        double scale);

/// Sliding-window attention for the last R positions of n: a row sees the last `window` keys up to
/// and including its own. Shapes as in attend_cached; keys that no row sees may be left out of
/// `key` and `value`. Differentiable. The mask is one block of rows by the keys around it.
at::Tensor attend_window(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         std::int64_t window, double scale);

}  // namespace niah::models
