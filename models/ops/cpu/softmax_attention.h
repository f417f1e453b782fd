// Causal softmax attention over a KV cache, with scores and sums in fp32.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "models/ops/cpu/block_product.h"
#include "models/ops/cpu/kernels.h"
#include "models/ops/cpu/operands.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

/// The queries of some positions and all heads of a group, one per lane, position by position.
template <typename E>
struct Tile {
  Tile(float* at, std::int64_t dim)
      : query(reinterpret_cast<E*>(at)),
        output(at + dim * kAttentionLanes),
        largest(output + dim * kAttentionLanes),
        sum(largest + kAttentionLanes) {}
  E* query;              // [dim, lanes], in operands
  float* output;         // [dim, lanes]
  float *largest, *sum;  // [lanes]: running maximum of the exponents, running sum of the powers
};

/// The factor on scores that makes them exponents of 2.
template <typename T>
float exponent_scale(const AttentionGroup<T>& in) {
  constexpr float kLog2E = 1.44269504088896F;
  return in.scale * kLog2E;
}

template <typename T>
void put_query(const T* x, std::int64_t dim, float factor, float* lane) {
  for (std::int64_t i = 0; i < dim; ++i)
    lane[i * kAttentionLanes] = factor * static_cast<float>(x[i]);
}
#ifdef __AVX512BF16__
/// Not scaled, because the product would have to be rounded.
inline void put_query(const BFloat16* x, std::int64_t dim, float, Pair* lane) {
  for (std::int64_t i = 0; i < dim / 2; ++i)
    lane[i * kAttentionLanes] = reinterpret_cast<const Pair*>(x)[i];
}
#endif

template <typename T, typename E>
void start_tile(const AttentionGroup<T>& in, Tile<E> tile, std::int64_t begin, std::int64_t end) {
  std::fill_n(reinterpret_cast<float*>(tile.query), in.dim / kNumbers<E> * kAttentionLanes, 0.0F);
  std::fill(tile.output, tile.output + in.dim * kAttentionLanes, 0.0F);
  // Not minus infinity, whose distance to a hidden key's score would be NaN.
  std::fill(tile.largest, tile.largest + kAttentionLanes, std::numeric_limits<float>::lowest());
  std::fill(tile.sum, tile.sum + kAttentionLanes, 0.0F);
  E* lane = tile.query;
  for (std::int64_t t = begin; t < end; ++t)
    for (std::int64_t g = 0; g < in.groups; ++g, ++lane)
      put_query(in.query + g * in.query_head + t * in.query_row, in.dim, exponent_scale(in), lane);
}

/// Masks keys for the positions before them and, with a window, for those too far after them.
/// scores [count, lanes]: of the keys from `first` on.
template <typename T>
void hide_unseen(const AttentionGroup<T>& in, float* scores, std::int64_t first, std::int64_t count,
                 std::int64_t begin, std::int64_t end) {
  const std::int64_t past = in.keys - in.rows;
  const auto hide = [&](float* row, std::int64_t from, std::int64_t to) {
    if (from < to)
      std::fill_n(row + (from - begin) * in.groups, (to - from) * in.groups,
                  -std::numeric_limits<float>::infinity());
  };
  for (std::int64_t j = 0; j < count; ++j) {
    float* row = scores + j * kAttentionLanes;
    const std::int64_t own = first + j - past;  // the key's position, the first to see it
    hide(row, begin, std::min(end, own));
    if (in.window > 0) hide(row, std::max(begin, own + in.window), end);
  }
}

/// A block of keys [count, dim] and of values [dim, count], in operands.
template <typename E>
struct KeyBlock {
  ScatteredOf<E> keys, values;
};

inline KeyBlock<float> key_block(const AttentionGroup<float>& in, std::int64_t first, std::int64_t,
                                 float*) {
  return {{in.key + first * in.key_row, in.key_row, 1},
          {in.value + first * in.value_row, 1, in.value_row}};
}
#ifdef __AVX512BF16__
/// Keys are pairs as they stand in memory; values are paired in `room`, with the next key's.
inline KeyBlock<Pair> key_block(const AttentionGroup<BFloat16>& in, std::int64_t first,
                                std::int64_t count, float* room) {
  Pair* pairs = reinterpret_cast<Pair*>(room);
  const BFloat16* values = in.value + first * in.value_row;
  for (std::int64_t j = 0; j < count; j += 2, values += 2 * in.value_row) {
    const BFloat16* next =
        j + 1 < count ? values + in.value_row : values;  // that one's weight is 0
    for (std::int64_t i = 0; i < in.dim; i += kWidth)
      store(paired(values + i, next + i), pairs + j / 2 * in.dim + i);
  }
  return {{reinterpret_cast<const Pair*>(in.key + first * in.key_row), in.key_row / 2, 1},
          {pairs, 1, in.dim}};
}
#else
inline KeyBlock<float> key_block(const AttentionGroup<BFloat16>& in, std::int64_t first,
                                 std::int64_t count, float* room) {
  const Block<const float> keys =
      widen(in.key + first * in.key_row, in.key_row, count, in.dim, room);
  const Block<const float> values = widen(in.value + first * in.value_row, in.value_row, count,
                                          in.dim, room + kAttentionKeys * in.dim);
  return {keys, {values.data, 1, values.stride}};
}
#endif

#ifdef CPU_CAPABILITY_AVX512
/// 2^x by a polynomial for 2^p on [0, 1), where p = x - floor(x) (zero for -inf). The coefficients
/// begin with the highest; the last, 1, makes the result exact for whole x.
template <std::size_t count>
Vec power_of_two_by(const float (&coefficients)[count], const Vec& x) {
  const __m512 part = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 power = _mm512_set1_ps(coefficients[0]);
#pragma GCC unroll 8
  for (std::size_t i = 1; i < count; ++i)
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(coefficients[i]));
  return _mm512_scalef_ps(power, x);  // power * 2^floor(x)
}
#endif

/// 2^x for x <= 0, accurate to 2 units in the last place and exactly 1 for 0. With AVX-512, NaN for
/// NaN, because `larger` may drop it there.
inline Vec power_of_two(const Vec& x) {
#ifdef CPU_CAPABILITY_AVX512
  constexpr float kMinimax[] = {1.8671301659196615e-3F, 9.017029777169228e-3F,
                                5.579991266131401e-2F,  2.4016444385051727e-1F,
                                6.931512951850891e-1F,  1.0F};
  return power_of_two_by(kMinimax, x);
#else
  constexpr float kLog2 = 0.693147180559945F;
  return (x * Vec(kLog2)).exp_u20();
#endif
}

#ifdef __AVX512BF16__
/// The same to 1 in 10,000, for results that are rounded to bf16; exactly 1 for 0.
inline Vec rough_power_of_two(const Vec& x) {
  constexpr float kMinimax[] = {0.07706705F, 0.22764498F, 0.69511679F, 1.0F};
  return power_of_two_by(kMinimax, x);
}
#endif

/// The larger of two scores. A NaN may get lost where power_of_two preserves it.
inline Vec larger(const Vec& a, const Vec& b) {
#ifdef CPU_CAPABILITY_AVX512
  return _mm512_max_ps(a, b);  // at::vec::maximum keeps NaN but needs four times the instructions
#else
  return at::vec::maximum(a, b);
#endif
}

/// For each lane, the largest of `before` and of `count` keys' scores times `scale` > 0.
inline Vec largest_of(const Vec& before, const float* scores, float scale, std::int64_t count) {
  // Four independent maxima, because each operation waits for the previous one.
  const Vec none(-std::numeric_limits<float>::infinity());
  Vec largest[4] = {none, none, none, none};
  std::int64_t j = 0;
  for (; j + 4 <= count; j += 4)
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < 4; ++i)
      largest[i] = larger(largest[i], Vec::loadu(scores + (j + i) * kAttentionLanes));
  for (; j < count; ++j) largest[0] = larger(largest[0], Vec::loadu(scores + j * kAttentionLanes));
  const Vec all = larger(larger(largest[0], largest[1]), larger(largest[2], largest[3]));
  return larger(before, all * Vec(scale));
}

/// 2^(score - largest) of the keys j to j + kNumbers<E>, as an operand of the product with values.
inline Vec powers(const float* scores, float, const Vec& largest, float* to, std::int64_t j,
                  std::int64_t) {
  const Vec p = power_of_two(Vec::loadu(scores + j * kAttentionLanes) - largest);
  p.store(to + j * kAttentionLanes);
  return p;
}
#ifdef __AVX512BF16__
inline Vec powers(const float* scores, float scale, const Vec& largest, Pair* to, std::int64_t j,
                  std::int64_t count) {
  const float* score = scores + j * kAttentionLanes;
  const auto power = [&](const float* of) {
    return rough_power_of_two(_mm512_fmsub_ps(Vec::loadu(of), Vec(scale), largest));
  };
  const Vec first = power(score);
  const Vec second = j + 1 < count ? power(score + kAttentionLanes) : Vec(0.0F);
  store(paired(first, second), to + j / 2 * kAttentionLanes);
  return first + second;
}
#endif

/// Turns scores [count, lanes] into weights 2^(score - largest), which may take their place;
/// updates the tile's maxima and sums and rescales its output. `scale` is the factor on scores
/// that queries do not have yet.
template <typename E>
void exponentiate(Tile<E> tile, const float* scores, E* weights, float scale, std::int64_t count,
                  std::int64_t lanes, std::int64_t dim) {
  for (std::int64_t lane = 0; lane < lanes; lane += kWidth) {
    const Vec before = Vec::loadu(tile.largest + lane);
    const Vec largest = largest_of(before, scores + lane, scale, count);
    Vec sum = largest - largest;  // zero, or NaN if `largest` is NaN: power_of_two may lose it
    for (std::int64_t j = 0; j < count; j += kNumbers<E>)
      sum = sum + powers(scores + lane, scale, largest, weights + lane, j, count);
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

template <typename T, typename E>
void finish_tile(const AttentionGroup<T>& in, Tile<E> tile, std::int64_t begin, std::int64_t end) {
  for (std::int64_t t = begin; t < end; ++t)
    for (std::int64_t g = 0; g < in.groups; ++g) {
      const std::int64_t lane = (t - begin) * in.groups + g;
      const float* output = tile.output + lane;
      const float sum = tile.sum[lane];
      if (in.partial != nullptr) {
        float* to = in.partial + ((t - in.begin) * in.groups + g) * (in.dim + 1);
        for (std::int64_t i = 0; i < in.dim; ++i) to[i] = output[i * kAttentionLanes] / sum;
        to[in.dim] = tile.largest[lane] + std::log2(sum);
        continue;
      }
      T* to = in.output + g * in.output_head + t * in.output_row;
      for (std::int64_t i = 0; i < in.dim; ++i)
        to[i] = static_cast<T>(output[i * kAttentionLanes] / sum);
    }
}

/// The memory of attention(): one block's scores, weights, keys and values, then the tiles.
template <typename E>
struct AttentionScratch {
  AttentionScratch(float* at, std::int64_t dim, bool in_place)
      : scores(at),
        weights(reinterpret_cast<E*>(in_place ? at : at + kAttentionKeys * kAttentionLanes)),
        room(at + 2 * kAttentionKeys * kAttentionLanes),
        tiles(room + 2 * kAttentionKeys * dim) {}
  float* scores;  // [keys, lanes]
  E* weights;     // [keys, lanes], in operands
  float* room;    // for key_block
  float* tiles;
};

/// Scores are stored transposed, keys by queries, so that keys and values are read in their memory
/// order, and each block of them once for all tiles.
template <typename T>
void attention(const AttentionGroup<T>& in) {
  using E = Operand<T>;
  constexpr bool kPairs = kNumbers<E> > 1;
  const std::int64_t each = kAttentionLanes / in.groups, past = in.keys - in.rows;
  const AttentionScratch<E> scratch(in.scratch, in.dim, /*in_place=*/!kPairs);
  const auto tile_at = [&](std::int64_t begin) {
    const std::int64_t index = (begin - in.begin) / each;
    return Tile<E>(scratch.tiles + index * kAttentionLanes * (2 * in.dim + 2), in.dim);
  };
  const auto end_of = [&](std::int64_t begin) { return std::min(in.end, begin + each); };
  // The first key that position t sees.
  const auto first_of = [&](std::int64_t t) {
    return in.window > 0 ? std::max<std::int64_t>(0, past + t - in.window + 1) : 0;
  };
  for (std::int64_t t = in.begin; t < in.end; t += each) start_tile(in, tile_at(t), t, end_of(t));
  for (std::int64_t first = first_of(in.begin); first < past + in.end; first += kAttentionKeys) {
    const KeyBlock<E> block =
        key_block(in, first, std::min(kAttentionKeys, past + in.end - first), scratch.room);
    for (std::int64_t t = in.begin; t < in.end; t += each) {
      const std::int64_t end = end_of(t);
      const std::int64_t count = std::min(kAttentionKeys, past + end - first);
      if (count <= 0 || first + count <= first_of(t)) continue;
      const Tile<E> tile = tile_at(t);
      const std::int64_t lanes = whole_vectors((end - t) * in.groups);
      block_product(block.keys, Block<const E>{tile.query, kAttentionLanes},
                    {scratch.scores, kAttentionLanes}, count, lanes, in.dim / kNumbers<E>, false);
      if (first + count > past + t + 1 || first < first_of(end - 1))
        hide_unseen(in, scratch.scores, first, count, t, end);
      exponentiate(tile, scratch.scores, scratch.weights, kPairs ? exponent_scale(in) : 1.0F, count,
                   lanes, in.dim);
      block_product(block.values, Block<const E>{scratch.weights, kAttentionLanes},
                    {tile.output, kAttentionLanes}, in.dim, lanes,
                    (count + kNumbers<E> - 1) / kNumbers<E>, true);
    }
  }
  for (std::int64_t t = in.begin; t < in.end; t += each) finish_tile(in, tile_at(t), t, end_of(t));
}

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
