// Compiled once an instruction set, which NIAH_INSTRUCTION_SET names.
#include "models/ops/cpu/kernels.h"

#include <ATen/cpu/vec/functional.h>
#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "models/ops/cpu/block_product.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

using c10::BFloat16;

// ------------------------------------------------------------------ numbers in memory as fp32
// vectors

Vec load(const float* x) { return Vec::loadu(x); }
Vec load(const BFloat16* x) {
  Vec wide;
  at::vec::load_fp32_from_bf16(x, wide);
  return wide;
}
void store(const Vec& x, float* to) { x.store(to); }
void store(const Vec& x, BFloat16* to) {
  at::vec::convert_from_float<BFloat16>(x, x).store(to, static_cast<int>(kWidth));
}
Vec rounded(const Vec& x, const float*) { return x; }
Vec rounded(const Vec& x, const BFloat16*) {
  BFloat16 narrow[kWidth];
  store(x, narrow);
  return load(narrow);
}

/// f of every number of one or two arrays; the last few go through a vector of zeros.
template <typename T, typename F>
void map(const T* a, const T* b, T* output, std::int64_t count, const F& f) {
  std::int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) store(f(load(a + i), load(b + i)), output + i);
  if (i == count) return;
  T left[kWidth] = {}, right[kWidth] = {}, result[kWidth];
  std::copy(a + i, a + count, left);
  std::copy(b + i, b + count, right);
  store(f(load(left), load(right)), result);
  std::copy(result, result + (count - i), output + i);
}

// ---------------------------------------------------------------------------------------
// elementwise

template <typename T>
void silu_product(const T* gate, const T* up, T* output, std::int64_t count) {
  const Vec one(1.0F);
  map(gate, up, output, count,
      [&](const Vec& g, const Vec& u) { return g / (one + g.neg().exp()) * u; });
}

template <typename T>
void sigmoid_product(const T* x, const T* gate, T* output, std::int64_t count) {
  const Vec one(1.0F);
  map(x, gate, output, count,
      [&](const Vec& v, const Vec& g) { return v / (one + g.neg().exp()); });
}

float sum_of(const Vec& x) {
  float parts[kWidth];
  x.store(parts);
  float sum = 0;
  for (const float part : parts) sum += part;
  return sum;
}

template <typename T>
void rms_norm(const T* x, const T* weight, T* output, std::int64_t rows, std::int64_t size,
              float eps, bool round_first) {
  for (std::int64_t r = 0; r < rows; ++r, x += size, output += size) {
    Vec squares(0.0F);
    for (std::int64_t i = 0; i < size; i += kWidth) {
      const Vec v = load(x + i);
      squares = at::vec::fmadd(v, v, squares);
    }
    const Vec scale(1 / std::sqrt(sum_of(squares) / static_cast<float>(size) + eps));
    for (std::int64_t i = 0; i < size; i += kWidth) {
      const Vec normed = load(x + i) * scale;
      store((round_first ? rounded(normed, x) : normed) * load(weight + i), output + i);
    }
  }
}

template <typename T>
void rotary(const RotaryRows<T>& in) {
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

// --------------------------------------------------------------------------------- lightning
// attention

/// Rows in fp32: those given, or a copy in `room`.
Block<const float> widen(const float* x, std::int64_t stride, std::int64_t, std::int64_t, float*) {
  return {x, stride};
}
Block<const float> widen(const BFloat16* x, std::int64_t stride, std::int64_t rows,
                         std::int64_t size, float* room) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < size; i += kWidth)
      load(x + r * stride + i).store(room + r * size + i);
  return {room, size};
}

/// to [size, kLightningChunk] = x [rows, size] transposed, zero behind its rows up to a whole
/// vector.
void transpose(Block<const float> x, std::int64_t rows, std::int64_t size, float* to) {
  const std::int64_t whole = rows / kWidth * kWidth;
  for (std::int64_t j = 0; j < whole; j += kWidth)
    for (std::int64_t i = 0; i < size; i += kWidth)
      at::vec::transpose_mxn<float, static_cast<int>(kWidth), static_cast<int>(kWidth)>(
          x.row(j) + i, x.stride, to + i * kLightningChunk + j, kLightningChunk);
  if (whole == rows) return;
  for (std::int64_t i = 0; i < size; ++i) {
    float* line = to + i * kLightningChunk + whole;
    for (std::int64_t j = whole; j < rows; ++j) line[j - whole] = x.row(j)[i];
    std::fill(line + (rows - whole), line + kWidth, 0.0F);
  }
}

std::int64_t whole_vectors(std::int64_t count) { return (count + kWidth - 1) / kWidth * kWidth; }

/// What one head needs beside its inputs.
struct LightningScratch {
  LightningScratch(float* at, std::int64_t dim)
      : keys(at),
        query(keys + kLightningChunk * dim),
        value(query + kLightningChunk * dim),
        output(value + kLightningChunk * dim),
        scores(output + kLightningChunk * dim),
        mask(scores + 16 * kLightningChunk),
        power(mask + kLightningChunk * kLightningChunk) {}
  float* keys;           // [dim, chunk]
  float *query, *value;  // [chunk, dim], where the inputs are not fp32
  float* output;         // [16, dim]
  float* scores;         // [16, chunk]
  float* mask;           // [chunk, chunk]: scale * decay^(i-j), zero above the diagonal
  float* power;          // [chunk + 1]: decay^n
};

/// decay^n and the mask. What is below exp(-80) does not reach any sum, and denormal factors are
/// slow.
void fill_decays(float slope, float scale, LightningScratch& s) {
  constexpr float kVanished = 80;
  for (std::int64_t n = 0; n <= kLightningChunk; ++n) {
    const float loss = slope * static_cast<float>(n);
    s.power[n] = loss > kVanished ? 0 : std::exp(-loss);
  }
  for (std::int64_t i = 0; i < kLightningChunk; ++i)
    for (std::int64_t j = 0; j < kLightningChunk; ++j)
      s.mask[i * kLightningChunk + j] = j <= i ? scale * s.power[i - j] : 0;
}

void scale_row(float* row, std::int64_t size, float factor) {
  for (std::int64_t i = 0; i < size; i += kWidth)
    (Vec::loadu(row + i) * Vec(factor)).store(row + i);
}

/// One chunk of `tokens`: o_i = decay^(i+1) q_i S + sum_{j<=i} decay^(i-j) (q_i k_j) v_j, then
/// S = decay^tokens S + sum_j decay^(tokens-1-j) k_j^T v_j.
template <typename T>
void lightning_chunk(const LightningHead<T>& in, std::int64_t tokens, LightningScratch& s) {
  constexpr std::int64_t kRows = 16;
  const std::int64_t dim = in.dim;
  const Block<const float> query = widen(in.query, in.query_stride, tokens, dim, s.query);
  transpose(widen(in.key, in.key_stride, tokens, dim, s.value), tokens, dim, s.keys);
  const Block<const float> value = widen(in.value, in.value_stride, tokens, dim, s.value);
  const Block<const float> keys{s.keys, kLightningChunk}, state{in.state, dim};
  const Block<float> scores{s.scores, kLightningChunk}, output{s.output, dim};
  for (std::int64_t first = 0; first < tokens; first += kRows) {
    const std::int64_t rows = std::min(kRows, tokens - first), seen = first + rows;
    const Block<const float> q{query.row(first), query.stride};
    block_product(q, state, output, rows, dim, dim, false);
    block_product(q, keys, scores, rows, whole_vectors(seen), dim, false);
    for (std::int64_t r = 0; r < rows; ++r) {
      scale_row(output.row(r), dim, in.scale * s.power[first + r + 1]);
      const float* mask = s.mask + (first + r) * kLightningChunk;
      for (std::int64_t j = 0; j < seen; j += kWidth)
        (Vec::loadu(scores.row(r) + j) * Vec::loadu(mask + j)).store(scores.row(r) + j);
    }
    block_product({s.scores, kLightningChunk}, value, output, rows, dim, seen, true);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < dim; i += kWidth)
        store(Vec::loadu(output.row(r) + i), in.output + (first + r) * in.output_stride + i);
  }
  // Row j of the transposed powers: what key j has lost by the chunk's end.
  float to_end[kLightningChunk] = {};
  for (std::int64_t j = 0; j < tokens; ++j) to_end[j] = s.power[tokens - 1 - j];
  for (std::int64_t i = 0; i < dim; ++i) {
    float* line = s.keys + i * kLightningChunk;
    for (std::int64_t j = 0; j < tokens; j += kWidth)
      (Vec::loadu(line + j) * Vec::loadu(to_end + j)).store(line + j);
    scale_row(in.state + i * dim, dim, s.power[tokens]);
  }
  block_product(keys, value, {in.state, dim}, dim, dim, tokens, true);
}

template <typename T>
void lightning(const LightningHead<T>& whole) {
  LightningScratch scratch(whole.scratch, whole.dim);
  fill_decays(whole.slope, whole.scale, scratch);
  LightningHead<T> head = whole;
  for (std::int64_t at = 0; at < whole.tokens; at += kLightningChunk) {
    head.query = whole.query + at * whole.query_stride;
    head.key = whole.key + at * whole.key_stride;
    head.value = whole.value + at * whole.value_stride;
    head.output = whole.output + at * whole.output_stride;
    lightning_chunk(head, std::min(kLightningChunk, whole.tokens - at), scratch);
  }
}

template <typename T>
const Kernels<T>& table() {
  static constexpr Kernels<T> kTable = {rms_norm<T>,        rotary<T>,    silu_product<T>,
                                        sigmoid_product<T>, lightning<T>, kWidth};
  return kTable;
}

template const Kernels<float>& table<float>();
template const Kernels<BFloat16>& table<BFloat16>();

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
