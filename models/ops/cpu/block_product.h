// Products of small matrices that lie in the caches.
#pragma once

#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <cstdint>

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

using Vec = at::vec::Vectorized<float>;
inline constexpr std::int64_t kWidth = Vec::size();

/// A row-major matrix within a larger one.
template <typename T>
struct Block {
  T* data;
  std::int64_t stride;
  T* row(std::int64_t i) const { return data + i * stride; }
};

/// A matrix whose numbers are wanted one at a time, in any layout.
struct Scattered {
  Scattered(const float* data, std::int64_t row, std::int64_t column)
      : data(data), row(row), column(column) {}
  Scattered(Block<const float> block) : Scattered(block.data, block.stride, 1) {}
  const float* data;
  std::int64_t row, column;
};

/// c [R, V*kWidth] = a [R, depth] b [depth, V*kWidth], plus what c held where `add`. All sums stay
/// in registers.
template <int R, int V>
void tile_product(Scattered a, Block<const float> b, Block<float> c, std::int64_t depth, bool add) {
  Vec sum[R][V];
  if (add) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[r][v] = Vec::loadu(c.row(r) + v * kWidth);
  }
  const float* left = a.data;
  const float* right = b.data;
  for (std::int64_t k = 0; k < depth; ++k, left += a.column, right += b.stride) {
    Vec factors[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) factors[v] = Vec::loadu(right + v * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec factor(left[r * a.row]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[r][v] = at::vec::fmadd(factor, factors[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[r][v].store(c.row(r) + v * kWidth);
}

// As many sums as leave registers for the factors: 24 of 32 with AVX-512, 12 of 16 before.
inline constexpr int kTileRows = 6;
inline constexpr int kTileVectors = kWidth >= 16 ? 4 : 2;

template <int R>
void columns_product(Scattered a, Block<const float> b, Block<float> c, std::int64_t columns,
                     std::int64_t depth, bool add) {
  std::int64_t at = 0;
  for (; at + kTileVectors * kWidth <= columns; at += kTileVectors * kWidth)
    tile_product<R, kTileVectors>(a, {b.data + at, b.stride}, {c.data + at, c.stride}, depth, add);
  for (; at < columns; at += kWidth)
    tile_product<R, 1>(a, {b.data + at, b.stride}, {c.data + at, c.stride}, depth, add);
}

/// c [rows, columns] = a [rows, depth] b [depth, columns], plus what c held where `add`. `columns`
/// is a multiple of kWidth.
inline void block_product(Scattered a, Block<const float> b, Block<float> c, std::int64_t rows,
                          std::int64_t columns, std::int64_t depth, bool add) {
  for (; rows > 0; rows -= kTileRows, a.data += kTileRows * a.row, c.data += kTileRows * c.stride)
    switch (std::min<std::int64_t>(rows, kTileRows)) {
      case 1:
        columns_product<1>(a, b, c, columns, depth, add);
        break;
      case 2:
        columns_product<2>(a, b, c, columns, depth, add);
        break;
      case 3:
        columns_product<3>(a, b, c, columns, depth, add);
        break;
      case 4:
        columns_product<4>(a, b, c, columns, depth, add);
        break;
      case 5:
        columns_product<5>(a, b, c, columns, depth, add);
        break;
      default:
        columns_product<kTileRows>(a, b, c, columns, depth, add);
    }
}

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
