// Norms, gates and rotary embedding, each in one pass over memory.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "models/ops/cpu/kernels.h"
#include "models/ops/cpu/vectors.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

/// output[i] = f(a[i], b[i]); the last elements are padded to a whole vector.
template <typename T, typename F>
inline void map(const T* a, const T* b, T* output, std::int64_t count, const F& f) {
  std::int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) store(f(load(a + i), load(b + i)), output + i);
  if (i == count) return;
  T left[kWidth] = {}, right[kWidth] = {}, result[kWidth];
  std::copy(a + i, a + count, left);
  std::copy(b + i, b + count, right);
  store(f(load(left), load(right)), result);
  std::copy(result, result + (count - i), output + i);
}

template <typename T>
inline void silu_product(const T* gate, const T* up, T* output, std::int64_t count) {
  const Vec one(1.0F);
  map(gate, up, output, count,
      [&](const Vec& g, const Vec& u) { return g / (one + g.neg().exp()) * u; });
}

template <typename T>
inline void sigmoid_product(const T* x, const T* gate, T* output, std::int64_t count) {
  const Vec one(1.0F);
  map(x, gate, output, count,
      [&](const Vec& v, const Vec& g) { return v / (one + g.neg().exp()); });
}

inline float sum_of(const Vec& x) {
  float parts[kWidth];
  x.store(parts);
  float sum = 0;
  for (const float part : parts) sum += part;
  return sum;
}

template <typename T>
inline void rms_norm(const T* x, const T* weight, T* output, std::int64_t rows, std::int64_t size,
                     float eps, bool round_first, float weight_offset) {
  const Vec offset(weight_offset);
  for (std::int64_t r = 0; r < rows; ++r, x += size, output += size) {
    Vec squares(0.0F);
    for (std::int64_t i = 0; i < size; i += kWidth) {
      const Vec v = load(x + i);
      squares = at::vec::fmadd(v, v, squares);
    }
    const Vec scale(1 / std::sqrt(sum_of(squares) / static_cast<float>(size) + eps));
    for (std::int64_t i = 0; i < size; i += kWidth) {
      const Vec normed = load(x + i) * scale;
      store((round_first ? rounded(normed, x) : normed) * (load(weight + i) + offset), output + i);
    }
  }
}

template <typename T>
inline void rotary(const RotaryRows<T>& in) {
  const std::int64_t half = in.dim / 2;
  for (std::int64_t t = 0; t < in.rows; ++t) {
    const T* x = in.x + t * in.stride;
    T* output = in.output + t * in.dim;
    const float *cos = in.cos + t * half, *sin = in.sin + t * half;
    for (std::int64_t i = 0; i < half; i += kWidth) {
      const Vec a = load(x + i), b = load(x + half + i);
      const Vec c = Vec::loadu(cos + i), s = Vec::loadu(sin + i);
      store(a * c - b * s, output + i);
      store(b * c + a * s, output + half + i);
    }
  }
}

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
