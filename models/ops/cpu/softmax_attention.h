// Causal softmax attention over a KV cache, in fp32.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "models/ops/cpu/block_product.h"
#include "models/ops/cpu/kernels.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

/// The queries of some positions and all heads of a group, one per lane, position by position.
struct Tile {
  Tile(float* at, std::int64_t dim)
      : query(at),
        output(query + dim * kAttentionLanes),
        largest(output + dim * kAttentionLanes),
        sum(largest + kAttentionLanes) {}
  float *query, *output;  // [dim, lanes]
  float *largest, *sum;   // [lanes]: running maximum of the scores, running sum of exponentials
};

inline void start_tile(const AttentionGroup& in, Tile tile, std::int64_t begin, std::int64_t end) {
  std::fill(tile.query, tile.query + in.dim * kAttentionLanes, 0.0F);
  std::fill(tile.output, tile.output + in.dim * kAttentionLanes, 0.0F);
  std::fill(tile.largest, tile.largest + kAttentionLanes, -std::numeric_limits<float>::infinity());
  std::fill(tile.sum, tile.sum + kAttentionLanes, 0.0F);
  // With this factor, scores are exponents of 2 instead of e.
  constexpr float kLog2E = 1.44269504088896F;
  float* lane = tile.query;
  for (std::int64_t t = begin; t < end; ++t)
    for (std::int64_t g = 0; g < in.groups; ++g, ++lane) {
      const float* x = in.query + g * in.query_head + t * in.query_row;
      for (std::int64_t i = 0; i < in.dim; ++i)
        lane[i * kAttentionLanes] = in.scale * kLog2E * x[i];
    }
}

/// Masks keys for the positions before them. scores [count, lanes]: of the keys from `first` on.
inline void hide_future(const AttentionGroup& in, float* scores, std::int64_t first,
                        std::int64_t count, std::int64_t begin, std::int64_t end) {
  const std::int64_t past = in.keys - in.rows;
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int64_t seen_from = std::min(end, first + j - past);  // the first position to see it
    if (seen_from <= begin) continue;
    std::fill_n(scores + j * kAttentionLanes, (seen_from - begin) * in.groups,
                -std::numeric_limits<float>::infinity());
  }
}

/// 2^x for x <= 0, accurate to 2 units in the last place and exactly 1 for 0. With AVX-512, NaN for
/// NaN, because `larger` may drop it there.
inline Vec power_of_two(const Vec& x) {
#ifdef CPU_CAPABILITY_AVX512
  // x - floor(x) (zero for -inf), then a minimax polynomial on [0, 1) that is exactly 1 at 0.
  const __m512 part = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 power = _mm512_set1_ps(1.8671301659196615e-3F);
  for (const float c : {9.017029777169228e-3F, 5.579991266131401e-2F, 2.4016444385051727e-1F,
                        6.931512951850891e-1F, 1.0F})
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(c));
  return _mm512_scalef_ps(power, x);  // power * 2^floor(x)
#else
  constexpr float kLog2 = 0.693147180559945F;
  return (x * Vec(kLog2)).exp_u20();
#endif
}

/// The larger of two scores. A NaN may get lost where power_of_two preserves it.
inline Vec larger(const Vec& a, const Vec& b) {
#ifdef CPU_CAPABILITY_AVX512
  return _mm512_max_ps(a, b);  // at::vec::maximum keeps NaN but needs four times the instructions
#else
  return at::vec::maximum(a, b);
#endif
}

/// For each lane, the largest of `before` and the scores of `count` keys.
inline Vec largest_of(const Vec& before, const float* scores, std::int64_t count) {
  // Four independent maxima, because each operation waits for the previous one.
  Vec largest[4] = {before, before, before, before};
  std::int64_t j = 0;
  for (; j + 4 <= count; j += 4)
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < 4; ++i)
      largest[i] = larger(largest[i], Vec::loadu(scores + (j + i) * kAttentionLanes));
  for (; j < count; ++j) largest[0] = larger(largest[0], Vec::loadu(scores + j * kAttentionLanes));
  return larger(larger(largest[0], largest[1]), larger(largest[2], largest[3]));
}

/// Replaces scores [count, lanes] by 2^(score - largest); updates the tile's maxima and sums and
/// rescales its output.
inline void exponentiate(Tile tile, float* scores, std::int64_t count, std::int64_t lanes,
                         std::int64_t dim) {
  for (std::int64_t lane = 0; lane < lanes; lane += kWidth) {
    const Vec before = Vec::loadu(tile.largest + lane);
    const Vec largest = largest_of(before, scores + lane, count);
    Vec sum = largest - largest;  // zero, or NaN if `largest` is NaN: power_of_two may lose it
    for (std::int64_t j = 0; j < count; ++j) {
      float* score = scores + j * kAttentionLanes + lane;
      const Vec p = power_of_two(Vec::loadu(score) - largest);
      p.store(score);
      sum = sum + p;
    }
    const Vec kept = power_of_two(before - largest);
    at::vec::fmadd(Vec::loadu(tile.sum + lane), kept, sum).store(tile.sum + lane);
    largest.store(tile.largest + lane);
    float same[kWidth];
    kept.store(same);
    if (std::all_of(same, same + kWidth, [](float x) { return x == 1; })) continue;
    for (std::int64_t i = 0; i < dim; ++i) {
      float* output = tile.output + i * kAttentionLanes + lane;
      (Vec::loadu(output) * kept).store(output);
    }
  }
}

inline void finish_tile(const AttentionGroup& in, Tile tile, std::int64_t begin, std::int64_t end) {
  const float* lane = tile.output;
  const float* sum = tile.sum;
  for (std::int64_t t = begin; t < end; ++t)
    for (std::int64_t g = 0; g < in.groups; ++g, ++lane, ++sum) {
      float* to = in.output + g * in.output_head + t * in.output_row;
      for (std::int64_t i = 0; i < in.dim; ++i) to[i] = lane[i * kAttentionLanes] / *sum;
    }
}

/// Scores are stored transposed, keys by queries, so that keys and values are read in their memory
/// order, and each block of them once for all tiles.
inline void attention(const AttentionGroup& in) {
  const std::int64_t each = kAttentionLanes / in.groups, past = in.keys - in.rows;
  float* scores = in.scratch;
  const auto tile_at = [&](std::int64_t begin) {
    const std::int64_t index = (begin - in.begin) / each;
    return Tile(
        in.scratch + kAttentionKeys * kAttentionLanes + index * kAttentionLanes * (2 * in.dim + 2),
        in.dim);
  };
  const auto end_of = [&](std::int64_t begin) { return std::min(in.end, begin + each); };
  for (std::int64_t t = in.begin; t < in.end; t += each) start_tile(in, tile_at(t), t, end_of(t));
  for (std::int64_t first = 0; first < past + in.end; first += kAttentionKeys) {
    const float* keys = in.key + first * in.key_row;
    const float* values = in.value + first * in.value_row;
    for (std::int64_t t = in.begin; t < in.end; t += each) {
      const std::int64_t end = end_of(t);
      const std::int64_t count = std::min(kAttentionKeys, past + end - first);
      if (count <= 0) continue;
      const Tile tile = tile_at(t);
      const std::int64_t lanes = whole_vectors((end - t) * in.groups);
      block_product({keys, in.key_row, 1}, {tile.query, kAttentionLanes}, {scores, kAttentionLanes},
                    count, lanes, in.dim, false);
      if (first + count > past + t + 1) hide_future(in, scores, first, count, t, end);
      exponentiate(tile, scores, count, lanes, in.dim);
      block_product({values, 1, in.value_row}, {scores, kAttentionLanes},
                    {tile.output, kAttentionLanes}, in.dim, lanes, count, true);
    }
  }
  for (std::int64_t t = in.begin; t < in.end; t += each) finish_tile(in, tile_at(t), t, end_of(t));
}

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
