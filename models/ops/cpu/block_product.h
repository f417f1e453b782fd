// Products of small matrices that fit into the caches.
#pragma once

#include <algorithm>
#include <cstdint>

#include "models/ops/cpu/operands.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

/// c [R, V*kWidth] = a [R, depth] b [depth, V*kWidth], added to c if `add`. All sums are kept in
/// registers. `depth` counts operands (operands.h).
template <int R, int V, typename E>
void tile_product(ScatteredOf<E> a, Block<const E> b, Block<float> c, std::int64_t depth,
                  bool add) {
  Vec sum[R][V];
  if (add) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[r][v] = Vec::loadu(c.row(r) + v * kWidth);
  }
  const E* left = a.data;
  const E* right = b.data;
  for (std::int64_t k = 0; k < depth; ++k, left += a.column, right += b.stride) {
    decltype(load(right)) factors[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) factors[v] = load(right + v * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto factor = broadcast(left + r * a.row);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[r][v] = multiply_add(factor, factors[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[r][v].store(c.row(r) + v * kWidth);
}

// As many sums as leave registers for the factors: 24 of 32 with AVX-512, otherwise 12 of 16.
inline constexpr int kTileRows = 6;
inline constexpr int kTileVectors = kWidth >= 16 ? 4 : 2;

template <int R, typename E>
void columns_product(ScatteredOf<E> a, Block<const E> b, Block<float> c, std::int64_t columns,
                     std::int64_t depth, bool add) {
  std::int64_t at = 0;
  for (; at + kTileVectors * kWidth <= columns; at += kTileVectors * kWidth)
    tile_product<R, kTileVectors>(a, {b.data + at, b.stride}, {c.data + at, c.stride}, depth, add);
  for (; at < columns; at += kWidth)
    tile_product<R, 1>(a, {b.data + at, b.stride}, {c.data + at, c.stride}, depth, add);
}

template <typename E>
void rows_product(ScatteredOf<E> a, Block<const E> b, Block<float> c, std::int64_t rows,
                  std::int64_t columns, std::int64_t depth, bool add) {
  constexpr decltype(&columns_product<1, E>) kProducts[kTileRows] = {
      columns_product<1, E>, columns_product<2, E>, columns_product<3, E>,
      columns_product<4, E>, columns_product<5, E>, columns_product<6, E>};
  for (; rows > 0; rows -= kTileRows, a.data += kTileRows * a.row, c.data += kTileRows * c.stride)
    kProducts[std::min<std::int64_t>(rows, kTileRows) - 1](a, b, c, columns, depth, add);
}

/// c [rows, columns] = a [rows, depth] b [depth, columns], added to c if `add`. `columns` must be a
/// multiple of kWidth.
inline void block_product(Scattered a, Block<const float> b, Block<float> c, std::int64_t rows,
                          std::int64_t columns, std::int64_t depth, bool add) {
  rows_product(a, b, c, rows, columns, depth, add);
}
#ifdef __AVX512BF16__
/// The same for pairs, of which `depth` counts.
inline void block_product(ScatteredOf<Pair> a, Block<const Pair> b, Block<float> c,
                          std::int64_t rows, std::int64_t columns, std::int64_t depth, bool add) {
  rows_product(a, b, c, rows, columns, depth, add);
}
#endif

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
