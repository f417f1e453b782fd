// Products of a few rows with a weight, whose time is bound by reading the weight once.
#pragma once

#include <ATen/cpu/vec/functional.h>

#include <algorithm>
#include <cstdint>

#include "models/ops/cpu/kernels.h"
#include "models/ops/cpu/operands.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

/// The sum of a vector's elements.
inline float reduced(const Vec& x) {
  return at::vec::vec_reduce_all<float>([](Vec& a, Vec& b) { return a + b; }, x);
}

/// Numbers of type T that one step multiplies.
template <typename T>
inline constexpr std::int64_t kStep = kWidth * kNumbers<Operand<T>>;

/// kStep numbers as operands; `is_half`: only the first half of them is there, the others are zero.
template <bool is_half, typename T>
Vec load_step(const T* x) {
  return load(x);
}
#ifdef __AVX512BF16__
template <bool is_half>
PairVec load_step(const BFloat16* x) {
  if constexpr (is_half)
    return {_mm512_zextsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)))};
  else
    return load(reinterpret_cast<const Pair*>(x));
}
#endif

/// R rows by O outputs. The order of every sum over the inputs is the same for all R and O.
template <typename T, int R, int O>
void tile_of_rows(const RowProducts<T>& in, std::int64_t row, std::int64_t out) {
  const T* x = in.x + row * in.x_stride;
  const T* weight = in.weight + out * in.inputs;
  Vec sum[R][O];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int o = 0; o < O; ++o) sum[r][o] = Vec(0.0F);
  const auto step = [&]<bool is_half>(std::int64_t k) {
    decltype(load_step<is_half>(x)) factors[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) factors[r] = load_step<is_half>(x + r * in.x_stride + k);
#pragma GCC unroll 8
    for (int o = 0; o < O; ++o) {
      const auto w = load_step<is_half>(weight + o * in.inputs + k);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) sum[r][o] = multiply_add(factors[r], w, sum[r][o]);
    }
  };
  std::int64_t k = 0;
  for (; k + kStep<T> <= in.inputs; k += kStep<T>) step.template operator()<false>(k);
  if (k < in.inputs) step.template operator()<true>(k);
  for (int r = 0; r < R; ++r)
    for (int o = 0; o < O; ++o) {
      const float bias = in.bias == nullptr ? 0.0F : static_cast<float>(in.bias[out + o]);
      in.output[(row + r) * in.output_stride + out + o] = static_cast<T>(reduced(sum[r][o]) + bias);
    }
}

template <typename T, int O>
void rows_of_outputs(const RowProducts<T>& in, std::int64_t out) {
  // As many sums as leave registers for the factors: 16 of 32 with AVX-512, otherwise 8 of 16.
  constexpr int kRows = kWidth >= 16 ? 4 : 2;
  std::int64_t row = 0;
  for (; row + kRows <= in.rows; row += kRows) tile_of_rows<T, kRows, O>(in, row, out);
  if (kRows > 2 && row + 2 <= in.rows) {
    tile_of_rows<T, 2, O>(in, row, out);
    row += 2;
  }
  if (row < in.rows) tile_of_rows<T, 1, O>(in, row, out);
}

template <typename T>
void row_products(const RowProducts<T>& in) {
  std::int64_t out = in.begin;
  for (; out + 4 <= in.end; out += 4) rows_of_outputs<T, 4>(in, out);
  for (; out < in.end; ++out) rows_of_outputs<T, 1>(in, out);
}

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
