// CPU kernels that do in one pass over memory what would take several tensor operations. They are
// compiled once for every instruction set that libtorch has vectors for (kernels.cpp), and without
// torch's general headers: otherwise the linker could use an inline function compiled for a newer
// processor on an older one. The ops in the parent folder call them where they apply, and document
// what they compute.
#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <string>

namespace niah::models::cpu {

/// Tokens per chunk in the kernels of linear attention.
inline constexpr std::int64_t kChunk = 64;

/// One head of lightning attention over `tokens` tokens. Rows are `dim` adjacent numbers; strides
/// are the distances between rows.
template <typename T>
struct LightningHead {
  const T *query, *key, *value;
  T* output;
  std::int64_t query_stride, key_stride, value_stride, output_stride;
  std::int64_t tokens, dim;
  float slope, scale;
  float* state;    ///< [dim, dim], updated in place
  float* scratch;  ///< lightning_scratch(dim) floats
};

/// Number of floats of scratch memory for one head.
inline std::int64_t lightning_scratch(std::int64_t dim) {
  // keys transposed; query, value and output rows; scores of 16 rows; mask; powers of the decay
  return kChunk * (4 * dim + 16 + kChunk) + 2 * kChunk;
}

/// One head of the gated delta rule over `tokens` tokens, in fp32. Rows are adjacent numbers;
/// strides are the distances between rows.
struct DeltaRuleHead {
  const float *query, *key, *value;  ///< query and key [tokens, key_dim], value [tokens, value_dim]
  const float* log_decay;            ///< [tokens], or [tokens, key_dim] for channel_delta_rule
  const float* beta;                 ///< [tokens]
  float* output;                     ///< [tokens, value_dim]
  std::int64_t query_stride, key_stride, value_stride, decay_stride, beta_stride, output_stride;
  std::int64_t tokens, key_dim, value_dim;
  float* state;    ///< [key_dim, value_dim], updated in place
  float* scratch;  ///< delta_rule_scratch or channel_delta_rule_scratch floats
};

/// Number of floats of scratch memory for one head.
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

/// Block sizes of attention: query rows and keys.
inline constexpr std::int64_t kAttentionLanes = 64, kAttentionKeys = 96;

/// Causal softmax attention of the query heads that share one key head over `keys` keys, for the
/// positions [begin, end) of the last `rows`. Rows are `dim` adjacent numbers; for bf16, `dim` is a
/// multiple of Kernels::width, and rows begin at multiples of four bytes.
template <typename T>
struct AttentionGroup {
  const T *query = nullptr, *key = nullptr, *value = nullptr;
  T* output = nullptr;
  std::int64_t query_head = 0, query_row = 0, key_row = 0, value_row = 0;  // strides
  std::int64_t output_head = 0, output_row = 0;                            // strides
  std::int64_t groups = 1;  ///< number of query heads, at most kAttentionLanes
  std::int64_t rows = 0, keys = 0, dim = 0, begin = 0, end = 0;
  std::int64_t window = 0;  ///< number of keys that a position sees, up to its own; 0: all
  float scale = 1;          ///< positive
  /// If not null, where the results go in fp32, [end - begin, groups, dim + 1], instead of
  /// `output`; the last number of a row is the logarithm, to base 2, of its sum of exponentials.
  float* partial = nullptr;
  float* scratch = nullptr;  ///< attention_scratch(dim, groups, end - begin) floats
};

/// Number of floats of scratch memory for `rows` positions.
inline std::int64_t attention_scratch(std::int64_t dim, std::int64_t groups, std::int64_t rows) {
  const std::int64_t each = kAttentionLanes / groups, tiles = (rows + each - 1) / each;
  // a tile's queries, outputs, largest scores and sums; one block's scores, weights, keys, values
  return tiles * kAttentionLanes * (2 * dim + 2) + 2 * kAttentionKeys * (kAttentionLanes + dim);
}

/// Rotary embedding of rows of one head: row t has `dim` numbers and is rotated by row t of cos and
/// sin [rows, dim/2].
template <typename T>
struct RotaryRows {
  const T* x;
  T* output;  ///< contiguous rows
  std::int64_t stride, rows, dim;
  const float *cos, *sin;
};

/// Products of x [rows, inputs] with a weight [outputs, inputs], for the outputs [begin, end).
template <typename T>
struct RowProducts {
  const T *x, *weight, *bias;  ///< bias may be null
  T* output;
  std::int64_t x_stride, output_stride;
  std::int64_t rows, inputs, begin, end;
};

/// Kernels for element type T, float or c10::BFloat16.
template <typename T>
struct TypedKernels {
  /// x / sqrt(mean x^2 + eps) * (weight + weight_offset) for `rows` rows of `size` numbers;
  /// with `round_first`, the quotient is rounded to T before the product.
  void (*rms_norm)(const T* x, const T* weight, T* output, std::int64_t rows, std::int64_t size,
                   float eps, bool round_first, float weight_offset);
  void (*rotary)(const RotaryRows<T>& rows);
  /// silu(gate) * up
  void (*silu_product)(const T* gate, const T* up, T* output, std::int64_t count);
  /// x * sigmoid(gate)
  void (*sigmoid_product)(const T* x, const T* gate, T* output, std::int64_t count);
  void (*lightning)(const LightningHead<T>& head);
  void (*row_products)(const RowProducts<T>& products);
  void (*attention)(const AttentionGroup<T>& group);
};

/// All kernels for one instruction set.
struct Kernels {
  TypedKernels<float> fp32;
  TypedKernels<c10::BFloat16> bf16;
  void (*delta_rule)(const DeltaRuleHead& head);
  void (*channel_delta_rule)(const DeltaRuleHead& head);
  /// Floats per SIMD vector. The sizes of rows, and of halves of rotated rows, must be multiples.
  std::int64_t width;
};

/// The kernels for this processor or, if ATEN_CPU_CAPABILITY is set, for the instruction set that
/// it names.
const Kernels& kernels();

/// The instruction set of libtorch's and our kernels: "DEFAULT", "AVX2", "AVX512", "AVX512_BF16".
std::string capability();

}  // namespace niah::models::cpu
