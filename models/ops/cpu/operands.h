// What products of matrices are made of: fp32 numbers or, on processors that multiply bf16 numbers
// two at a time, pairs of them.
#pragma once

#include <cstdint>
#include <type_traits>

#include "models/ops/cpu/vectors.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

/// The same number in every lane.
inline Vec broadcast(const float* x) { return Vec(*x); }

/// sum + a * b
inline Vec multiply_add(const Vec& a, const Vec& b, const Vec& sum) {
  return at::vec::fmadd(a, b, sum);
}

#ifdef __AVX512BF16__
/// Two bf16 numbers that are adjacent along the dimension over which a product sums.
struct __attribute__((may_alias)) Pair {
  std::uint32_t bits;
};

/// kWidth pairs.
struct PairVec {
  __m512i bits;
};

inline PairVec load(const Pair* x) { return {_mm512_loadu_si512(x)}; }
inline void store(const PairVec& x, Pair* to) { _mm512_storeu_si512(to, x.bits); }
inline PairVec broadcast(const Pair* x) { return {_mm512_set1_epi32(static_cast<int>(x->bits))}; }

/// sum + a.first * b.first + a.second * b.second, in fp32. Denormal numbers count as zero.
inline Vec multiply_add(const PairVec& a, const PairVec& b, const Vec& sum) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a.bits),
                          reinterpret_cast<__m512bh>(b.bits));
}

/// Pairs of two fp32 vectors, rounded to bf16.
inline PairVec paired(const Vec& first, const Vec& second) {
  const auto halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return {_mm512_permutexvar_epi16(order, halves)};
}

/// Pairs of kWidth numbers from each of two rows.
inline PairVec paired(const BFloat16* first, const BFloat16* second) {
  const auto wide = [](const BFloat16* x) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
  };
  return {_mm512_or_si512(wide(first), _mm512_slli_epi32(wide(second), 16))};
}

template <typename T>
using Operand = std::conditional_t<std::is_same_v<T, BFloat16>, Pair, float>;
#else
/// How products of numbers of type T take their operands.
template <typename T>
using Operand = float;
#endif

/// Numbers per operand.
template <typename E>
inline constexpr std::int64_t kNumbers = std::is_same_v<E, float> ? 1 : 2;

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
