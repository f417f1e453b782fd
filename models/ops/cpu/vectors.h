// SIMD vectors of the current instruction set, and matrices in memory.
#pragma once

#include <ATen/cpu/vec/functional.h>
#include <ATen/cpu/vec/vec.h>
#include <c10/util/BFloat16.h>

#include <cstdint>

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

using c10::BFloat16;
using Vec = at::vec::Vectorized<float>;
inline constexpr std::int64_t kWidth = Vec::size();

/// A row-major matrix within a larger one.
template <typename T>
struct Block {
  T* data;
  std::int64_t stride;
  T* row(std::int64_t i) const { return data + i * stride; }
};

/// A matrix in any layout, whose elements are read one at a time; `row` and `column` are strides.
template <typename E>
struct ScatteredOf {
  ScatteredOf(const E* data, std::int64_t row, std::int64_t column)
      : data(data), row(row), column(column) {}
  ScatteredOf(Block<const E> block) : ScatteredOf(block.data, block.stride, 1) {}
  const E* data;
  std::int64_t row, column;
};
using Scattered = ScatteredOf<float>;

inline Vec load(const float* x) { return Vec::loadu(x); }
inline Vec load(const BFloat16* x) {
  Vec wide;
  at::vec::load_fp32_from_bf16(x, wide);
  return wide;
}
inline void store(const Vec& x, float* to) { x.store(to); }
#ifdef CPU_CAPABILITY_AVX512
// at::vec stores half a vector with a mask, which prevents store-to-load forwarding, and rounds in
// ten instructions where one would do.
inline void store(const Vec& x, BFloat16* to) {
#ifdef __AVX512BF16__
  const auto half = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
#else
  const __m256i half = at::vec::cvtfp32_bf16(x);
#endif
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half);
}
#else
inline void store(const Vec& x, BFloat16* to) {
  at::vec::convert_from_float<BFloat16>(x, x).store(to, static_cast<int>(kWidth));
}
#endif
/// x rounded to the type of the second argument.
inline Vec rounded(const Vec& x, const float*) { return x; }
inline Vec rounded(const Vec& x, const BFloat16*) {
  BFloat16 narrow[kWidth];
  store(x, narrow);
  return load(narrow);
}

/// `rows` rows of `size` numbers in fp32: x itself, or a converted copy in `room`.
inline Block<const float> widen(const float* x, std::int64_t stride, std::int64_t, std::int64_t,
                                float*) {
  return {x, stride};
}
inline Block<const float> widen(const BFloat16* x, std::int64_t stride, std::int64_t rows,
                                std::int64_t size, float* room) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < size; i += kWidth)
      load(x + r * stride + i).store(room + r * size + i);
  return {room, size};
}

/// `count` rounded up to a multiple of kWidth.
inline std::int64_t whole_vectors(std::int64_t count) {
  return (count + kWidth - 1) / kWidth * kWidth;
}

/// row *= factor, and row *= factors, elementwise. Processes whole vectors, so `size` must be a
/// multiple of kWidth or the arrays must be padded to one.
inline void scale_row(float* row, std::int64_t size, float factor) {
  for (std::int64_t i = 0; i < size; i += kWidth)
    (Vec::loadu(row + i) * Vec(factor)).store(row + i);
}
inline void multiply_row(float* row, const float* factors, std::int64_t size) {
  for (std::int64_t i = 0; i < size; i += kWidth)
    (Vec::loadu(row + i) * Vec::loadu(factors + i)).store(row + i);
}

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
