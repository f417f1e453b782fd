// Causal softmax attention over a KV cache, with grouped query heads (GQA).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace niah::models {

/// softmax(scale * q k^T) v for the last R of n positions: query [B, H, R, D], key and value
/// [B, H_kv, n, D] → [B, H, R, D]. Query row r is at position n - R + r and sees the keys up to its
/// own. The softmax is summed in fp32. Materialises neither an R x n mask nor repeated key/value
/// heads. Not differentiable.
at::Tensor attend_cached(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         double scale);

/// The same for a whole sequence (R = n); differentiable.
at::Tensor attend_whole(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                        double scale);

/// Sliding-window attention for the last R of n positions: a row sees the last `window` keys up to
/// and including its own. Shapes as in attend_cached; keys that no row sees may be missing from
/// `key` and `value`. Differentiable. Works on blocks of rows, so masks stay small.
at::Tensor attend_window(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         std::int64_t window, double scale);

}  // namespace niah::models
