// Loops for the CPU that do in one pass over memory what would be several tensor operations.
// Compiled once for every instruction set that libtorch has vectors for (kernels.cpp); without
// torch's headers, so that nothing compiled for a newer processor can be picked for an older one.
// The ops beside this folder call them where they apply, and say what they compute.
#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace niah::models::cpu {

/// Tokens that the kernels of linear attention take at a time.
inline constexpr std::int64_t kChunk = 64;

/// One head of lightning attention over a stretch of tokens. Rows are `dim` adjacent numbers, a
/// stride apart.
template <typename T>
struct LightningHead {
  const T *query, *key, *value;
  T* output;
  std::int64_t query_stride, key_stride, value_stride, output_stride;
  std::int64_t tokens, dim;
  float slope, scale;
  float* state;    ///< [dim, dim], brought forward in place
  float* scratch;  ///< lightning_scratch(dim) floats
};

/// Floats of scratch that one head needs.
inline std::int64_t lightning_scratch(std::int64_t dim) {
  // keys transposed; query, value and output rows; scores of 16 rows; mask; powers of the decay
  return kChunk * (4 * dim + 16 + kChunk) + 2 * kChunk;
}

/// One head of the gated delta rule over a stretch of tokens, in fp32. Rows are adjacent numbers, a
/// stride apart.
struct DeltaRuleHead {
  const float *query, *key, *value;  ///< [tokens, key_dim] twice, [tokens, value_dim]
  const float* log_decay;            ///< [tokens], or [tokens, key_dim] for channel_delta_rule
  const float* beta;                 ///< [tokens]
  float* output;                     ///< [tokens, value_dim]
  std::int64_t query_stride, key_stride, value_stride, decay_stride, beta_stride, output_stride;
  std::int64_t tokens, key_dim, value_dim;
  float* state;    ///< [key_dim, value_dim], brought forward in place
  float* scratch;  ///< so many floats as delta_rule_scratch says, or channel_delta_rule_scratch
};

/// Floats of scratch that one head needs.
inline std::int64_t delta_rule_scratch(std::int64_t key_dim, std::int64_t value_dim) {
  // keys transposed; the vectors u, output rows; decays and the system, both [chunk, chunk]; scores
  // of 16 rows; decays from the start and to the end
  return kChunk * (key_dim + 2 * value_dim + 2 * kChunk + 16 + 2);
}

/// The same for channel_delta_rule.
inline std::int64_t channel_delta_rule_scratch(std::int64_t key_dim, std::int64_t value_dim) {
  // keys transposed; decays, queries and keys from the start, keys to the end, all of 16 rows, and
  // two rows; the vectors u, output rows; the system and the scores, both [16, chunk]
  return kChunk * key_dim + 66 * key_dim + 32 * value_dim + 32 * kChunk;
}

/// Query rows that attention takes at a time, and keys.
inline constexpr std::int64_t kAttentionLanes = 64, kAttentionKeys = 96;

/// Causal softmax attention of one key head's group of query heads over all `keys`, for the
/// positions [begin, end) of the last `rows`. Rows are `dim` adjacent numbers, a stride apart.
struct AttentionGroup {
  const float *query, *key, *value;
  float* output;
  std::int64_t query_head, query_row, key_row, value_row, output_head, output_row;  // strides
  std::int64_t groups;  ///< query heads, at most kAttentionLanes
  std::int64_t rows, keys, dim, begin, end;
  float scale;
  float* scratch;  ///< attention_scratch(dim, groups, end - begin) floats
};

/// Floats of scratch for so many positions.
inline std::int64_t attention_scratch(std::int64_t dim, std::int64_t groups, std::int64_t rows) {
  const std::int64_t each = kAttentionLanes / groups, tiles = (rows + each - 1) / each;
  // a tile's queries, outputs, largest scores and sums; one block of scores
  return tiles * kAttentionLanes * (2 * dim + 2) + kAttentionKeys * kAttentionLanes;
}

/// Rotary embedding of rows of one head: row t is `dim` numbers, turned by cos and sin [t, dim/2].
template <typename T>
struct RotaryRows {
  const T* x;
  T* output;  ///< rows follow each other
  std::int64_t stride, rows, dim;
  const float *cos, *sin;
};

/// Products of rows [rows, inputs] with a weight [outputs, inputs], for its outputs [begin, end).
template <typename T>
struct RowProducts {
  const T *x, *weight, *bias;  ///< bias null: none
  T* output;
  std::int64_t x_stride, output_stride;
  std::int64_t rows, inputs, begin, end;
};

/// Kernels for numbers of type T, float or c10::BFloat16.
template <typename T>
struct TypedKernels {
  /// x / sqrt(mean x^2 + eps) * (weight + weight_offset) for `rows` rows of `size` numbers;
  /// `round_first`: the quotient is rounded to T before the product.
  void (*rms_norm)(const T* x, const T* weight, T* output, std::int64_t rows, std::int64_t size,
                   float eps, bool round_first, float weight_offset);
  void (*rotary)(const RotaryRows<T>& rows);
  /// silu(gate) * up
  void (*silu_product)(const T* gate, const T* up, T* output, std::int64_t count);
  /// x * sigmoid(gate)
  void (*sigmoid_product)(const T* x, const T* gate, T* output, std::int64_t count);
  void (*lightning)(const LightningHead<T>& head);
  void (*row_products)(const RowProducts<T>& products);
};

struct Kernels {
  TypedKernels<float> fp32;
  TypedKernels<c10::BFloat16> bf16;
  void (*attention)(const AttentionGroup& group);
  void (*delta_rule)(const DeltaRuleHead& head);
  void (*channel_delta_rule)(const DeltaRuleHead& head);
  /// Numbers in a vector: sizes of rows and halves of rotated rows must be multiples.
  std::int64_t width;
};

/// The kernels for this processor.
const Kernels& kernels();

}  // namespace niah::models::cpu
