// Lightning attention and the gated delta rule, one head and one chunk at a time: a causal product
// within the chunk, the state between chunks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "models/ops/cpu/block_product.h"
#include "models/ops/cpu/kernels.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

/// to [size, kChunk] = x [rows, size] transposed, padded with zeros to a whole vector.
inline void transpose(Block<const float> x, std::int64_t rows, std::int64_t size, float* to) {
  const std::int64_t whole = rows / kWidth * kWidth;
  for (std::int64_t j = 0; j < whole; j += kWidth)
    for (std::int64_t i = 0; i < size; i += kWidth)
      at::vec::transpose_mxn<float, static_cast<int>(kWidth), static_cast<int>(kWidth)>(
          x.row(j) + i, x.stride, to + i * kChunk + j, kChunk);
  if (whole == rows) return;
  for (std::int64_t i = 0; i < size; ++i) {
    float* line = to + i * kChunk + whole;
    for (std::int64_t j = whole; j < rows; ++j) line[j - whole] = x.row(j)[i];
    std::fill(line + (rows - whole), line + kWidth, 0.0F);
  }
}

/// Rows of a chunk that are processed at a time.
inline constexpr std::int64_t kRows = 16;

/// state [key_dim, value_dim] = kept * state + sum_j to_end_j k_j^T v_j for `tokens` keys. `keys`
/// are transposed, [key_dim, chunk], and are overwritten.
inline void advance_state(float* state, float kept, float* keys, const float* to_end,
                          Block<const float> value, std::int64_t tokens, std::int64_t key_dim,
                          std::int64_t value_dim) {
  for (std::int64_t i = 0; i < key_dim; ++i) {
    multiply_row(keys + i * kChunk, to_end, tokens);
    scale_row(state + i * value_dim, value_dim, kept);
  }
  block_product({keys, kChunk, 1}, value, {state, value_dim}, key_dim, value_dim, tokens, true);
}

// ----------------------------------------------------------------------------- lightning attention

/// Scratch memory for one head.
struct LightningScratch {
  LightningScratch(float* at, std::int64_t dim)
      : keys(at),
        query(keys + kChunk * dim),
        value(query + kChunk * dim),
        output(value + kChunk * dim),
        scores(output + kChunk * dim),
        mask(scores + kRows * kChunk),
        power(mask + kChunk * kChunk) {}
  float* keys;           // [dim, chunk]
  float *query, *value;  // [chunk, dim], if the inputs are not fp32
  float* output;         // [16, dim]
  float* scores;         // [16, chunk]
  float* mask;           // [chunk, chunk]: scale * decay^(i-j), zero above the diagonal
  float* power;          // [chunk + 1]: decay^n
};

/// Fills decay^n and the mask. Decays below exp(-80) become zero: they do not affect any sum, and
/// denormal factors are slow.
inline void fill_decays(float slope, float scale, LightningScratch& s) {
  constexpr float kVanished = 80;
  for (std::int64_t n = 0; n <= kChunk; ++n) {
    const float loss = slope * static_cast<float>(n);
    s.power[n] = loss > kVanished ? 0 : std::exp(-loss);
  }
  for (std::int64_t i = 0; i < kChunk; ++i)
    for (std::int64_t j = 0; j < kChunk; ++j)
      s.mask[i * kChunk + j] = j <= i ? scale * s.power[i - j] : 0;
}

/// One chunk of `tokens`: o_i = decay^(i+1) q_i S + sum_{j<=i} decay^(i-j) (q_i k_j) v_j, then
/// S = decay^tokens S + sum_j decay^(tokens-1-j) k_j^T v_j.
template <typename T>
inline void lightning_chunk(const LightningHead<T>& in, std::int64_t tokens, LightningScratch& s) {
  const std::int64_t dim = in.dim;
  const Block<const float> query = widen(in.query, in.query_stride, tokens, dim, s.query);
  transpose(widen(in.key, in.key_stride, tokens, dim, s.value), tokens, dim, s.keys);
  const Block<const float> value = widen(in.value, in.value_stride, tokens, dim, s.value);
  const Block<const float> keys{s.keys, kChunk}, state{in.state, dim};
  const Block<float> scores{s.scores, kChunk}, output{s.output, dim};
  for (std::int64_t first = 0; first < tokens; first += kRows) {
    const std::int64_t rows = std::min(kRows, tokens - first), seen = first + rows;
    const Block<const float> q{query.row(first), query.stride};
    block_product(q, state, output, rows, dim, dim, false);
    block_product(q, keys, scores, rows, whole_vectors(seen), dim, false);
    for (std::int64_t r = 0; r < rows; ++r) {
      scale_row(output.row(r), dim, in.scale * s.power[first + r + 1]);
      multiply_row(scores.row(r), s.mask + (first + r) * kChunk, seen);
    }
    block_product({s.scores, kChunk, 1}, value, output, rows, dim, seen, true);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < dim; i += kWidth)
        store(Vec::loadu(output.row(r) + i), in.output + (first + r) * in.output_stride + i);
  }
  float to_end[kChunk] = {};  // decay from key j to the end of the chunk
  for (std::int64_t j = 0; j < tokens; ++j) to_end[j] = s.power[tokens - 1 - j];
  advance_state(in.state, s.power[tokens], s.keys, to_end, value, tokens, dim, dim);
}

template <typename T>
inline void lightning(const LightningHead<T>& whole) {
  LightningScratch scratch(whole.scratch, whole.dim);
  fill_decays(whole.slope, whole.scale, scratch);
  LightningHead<T> head = whole;
  for (std::int64_t at = 0; at < whole.tokens; at += kChunk) {
    head.query = whole.query + at * whole.query_stride;
    head.key = whole.key + at * whole.key_stride;
    head.value = whole.value + at * whole.value_stride;
    head.output = whole.output + at * whole.output_stride;
    lightning_chunk(head, std::min(kChunk, whole.tokens - at), scratch);
  }
}

// -------------------------------------------------------------------------------- gated delta rule

/// exp(x) for x <= 0; zero where it does not affect any sum (denormal factors are slow).
inline Vec decay_of(const Vec& x) { return Vec::blendv(x.exp(), Vec(0.0F), x < Vec(-80.0F)); }

inline float decay_of(float x) { return x < -80 ? 0 : std::exp(x); }

/// Scratch memory for one head.
struct DeltaScratch {
  DeltaScratch(float* at, std::int64_t key_dim, std::int64_t value_dim)
      : keys(at),
        u(keys + kChunk * key_dim),
        output(u + kChunk * value_dim),
        between(output + kChunk * value_dim),
        system(between + kChunk * kChunk),
        scores(system + kChunk * kChunk),
        sum(scores + kRows * kChunk),
        to_end(sum + kChunk) {}
  float* keys;          // [key_dim, chunk]
  float *u, *output;    // [chunk, value_dim]
  float* between;       // [chunk, chunk]: exp(c_i - c_j), zero above the diagonal
  float* system;        // [chunk, chunk]: -A below the diagonal
  float* scores;        // [16, chunk]
  float *sum, *to_end;  // [chunk]: c, the cumulative log decays; exp(c_last - c)
};

/// Fills the decays of a chunk; after its last token the cumulative sums stay constant.
inline void fill_decays(const DeltaRuleHead& in, std::int64_t tokens, DeltaScratch& s) {
  float sum = 0;
  for (std::int64_t i = 0; i < kChunk; ++i) {
    if (i < tokens) sum += in.log_decay[i * in.decay_stride];
    s.sum[i] = sum;
  }
  const Vec zero(0.0F);
  for (std::int64_t j = 0; j < kChunk; j += kWidth)
    decay_of(Vec(sum) - Vec::loadu(s.sum + j)).store(s.to_end + j);
  for (std::int64_t i = 0; i < tokens; ++i) {
    float* row = s.between + i * kChunk;
    const Vec own(s.sum[i]);
    for (std::int64_t j = 0; j < kChunk; j += kWidth)  // clamped: could overflow above the diagonal
      decay_of(at::vec::minimum(own - Vec::loadu(s.sum + j), zero)).store(row + j);
    std::fill(row + i + 1, row + kChunk, 0.0F);
  }
}

/// The head from a given token on; state and scratch are shared with the original.
inline DeltaRuleHead from_token(DeltaRuleHead head, std::int64_t token) {
  head.query += token * head.query_stride;
  head.key += token * head.key_stride;
  head.value += token * head.value_stride;
  head.log_decay += token * head.decay_stride;
  head.beta += token * head.beta_stride;
  head.output += token * head.output_stride;
  return head;
}

/// Forward substitution for `rows` rows of u [chunk, dim] from `first` on, given the rows before:
/// u_i -= sum_{j < i} A_ij u_j. `system` [chunk, chunk] holds -A below the diagonal.
inline void substitute(const float* system, float* u, std::int64_t first, std::int64_t rows,
                       std::int64_t dim) {
  block_product({system + first * kChunk, kChunk, 1}, {u, dim}, {u + first * dim, dim}, rows, dim,
                first, true);
  for (std::int64_t i = first + 1; i < first + rows; ++i)
    for (std::int64_t v = 0; v < dim; v += kWidth) {
      float* own = u + i * dim + v;
      Vec sum = Vec::loadu(own);
      for (std::int64_t j = first; j < i; ++j)
        sum = at::vec::fmadd(Vec(system[i * kChunk + j]), Vec::loadu(u + j * dim + v), sum);
      sum.store(own);
    }
}

/// One chunk, in the notation of the paper: with S the state before it and c the cumulative log
/// decays, (I + A) U = beta (V - exp(c) K S), where A_ij = beta_i exp(c_i - c_j) k_i k_j for j < i;
/// o_i = exp(c_i) q_i S + sum_{j<=i} exp(c_i - c_j) (q_i k_j) u_j.
inline void delta_chunk(const DeltaRuleHead& in, std::int64_t tokens, DeltaScratch& s) {
  const std::int64_t dim = in.value_dim;
  const Block<const float> state{in.state, dim}, keys{s.keys, kChunk};
  const Block<const float> key{in.key, in.key_stride};
  fill_decays(in, tokens, s);
  transpose(key, tokens, in.key_dim, s.keys);
  block_product(key, state, {s.u, dim}, tokens, dim, in.key_dim, false);
  for (std::int64_t i = 0; i < tokens; ++i) {
    const Vec beta(in.beta[i * in.beta_stride]), kept(decay_of(s.sum[i]));
    for (std::int64_t v = 0; v < dim; v += kWidth) {
      float* u = s.u + i * dim + v;
      (beta * (Vec::loadu(in.value + i * in.value_stride + v) - kept * Vec::loadu(u))).store(u);
    }
  }
  for (std::int64_t first = 0; first < tokens; first += kRows) {
    const std::int64_t rows = std::min(kRows, tokens - first), seen = first + rows;
    float* system = s.system + first * kChunk;
    block_product({in.key + first * in.key_stride, in.key_stride, 1}, keys, {system, kChunk}, rows,
                  whole_vectors(seen), in.key_dim, false);
    for (std::int64_t r = 0; r < rows; ++r) {
      multiply_row(system + r * kChunk, s.between + (first + r) * kChunk, seen);
      scale_row(system + r * kChunk, seen, -in.beta[(first + r) * in.beta_stride]);
    }
    substitute(s.system, s.u, first, rows, dim);

    const Block<const float> query{in.query + first * in.query_stride, in.query_stride};
    const Block<float> output{s.output, dim}, scores{s.scores, kChunk};
    block_product(query, state, output, rows, dim, in.key_dim, false);
    block_product(query, keys, scores, rows, whole_vectors(seen), in.key_dim, false);
    for (std::int64_t r = 0; r < rows; ++r) {
      scale_row(output.row(r), dim, decay_of(s.sum[first + r]));
      multiply_row(scores.row(r), s.between + (first + r) * kChunk, seen);
    }
    block_product({s.scores, kChunk, 1}, {s.u, dim}, output, rows, dim, seen, true);
    for (std::int64_t r = 0; r < rows; ++r)
      std::copy_n(output.row(r), dim, in.output + (first + r) * in.output_stride);
  }
  advance_state(in.state, decay_of(s.sum[tokens - 1]), s.keys, s.to_end, {s.u, dim}, tokens,
                in.key_dim, dim);
}

inline void delta_rule(const DeltaRuleHead& whole) {
  DeltaScratch scratch(whole.scratch, whole.key_dim, whole.value_dim);
  for (std::int64_t at = 0; at < whole.tokens; at += kChunk)
    delta_chunk(from_token(whole, at), std::min(kChunk, whole.tokens - at), scratch);
}

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
