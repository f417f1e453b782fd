// Compiled once an instruction set, which NIAH_INSTRUCTION_SET names.
#include "models/ops/cpu/kernels.h"

#include <ATen/cpu/vec/functional.h>
#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "models/ops/cpu/block_product.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

using c10::BFloat16;

// --------------------------------------------------------------- numbers in memory as fp32 vectors

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

// ------------------------------------------------------------------------------------- elementwise

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

// ----------------------------------------------------------------------------- lightning attention

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

/// to [size, kChunk] = x [rows, size] transposed, zero behind its rows up to a whole
/// vector.
void transpose(Block<const float> x, std::int64_t rows, std::int64_t size, float* to) {
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

std::int64_t whole_vectors(std::int64_t count) { return (count + kWidth - 1) / kWidth * kWidth; }

/// What one head needs beside its inputs.
struct LightningScratch {
  LightningScratch(float* at, std::int64_t dim)
      : keys(at),
        query(keys + kChunk * dim),
        value(query + kChunk * dim),
        output(value + kChunk * dim),
        scores(output + kChunk * dim),
        mask(scores + 16 * kChunk),
        power(mask + kChunk * kChunk) {}
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
  for (std::int64_t n = 0; n <= kChunk; ++n) {
    const float loss = slope * static_cast<float>(n);
    s.power[n] = loss > kVanished ? 0 : std::exp(-loss);
  }
  for (std::int64_t i = 0; i < kChunk; ++i)
    for (std::int64_t j = 0; j < kChunk; ++j)
      s.mask[i * kChunk + j] = j <= i ? scale * s.power[i - j] : 0;
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
  const Block<const float> keys{s.keys, kChunk}, state{in.state, dim};
  const Block<float> scores{s.scores, kChunk}, output{s.output, dim};
  for (std::int64_t first = 0; first < tokens; first += kRows) {
    const std::int64_t rows = std::min(kRows, tokens - first), seen = first + rows;
    const Block<const float> q{query.row(first), query.stride};
    block_product(q, state, output, rows, dim, dim, false);
    block_product(q, keys, scores, rows, whole_vectors(seen), dim, false);
    for (std::int64_t r = 0; r < rows; ++r) {
      scale_row(output.row(r), dim, in.scale * s.power[first + r + 1]);
      const float* mask = s.mask + (first + r) * kChunk;
      for (std::int64_t j = 0; j < seen; j += kWidth)
        (Vec::loadu(scores.row(r) + j) * Vec::loadu(mask + j)).store(scores.row(r) + j);
    }
    block_product({s.scores, kChunk, 1}, value, output, rows, dim, seen, true);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < dim; i += kWidth)
        store(Vec::loadu(output.row(r) + i), in.output + (first + r) * in.output_stride + i);
  }
  // Row j of the transposed powers: what key j has lost by the chunk's end.
  float to_end[kChunk] = {};
  for (std::int64_t j = 0; j < tokens; ++j) to_end[j] = s.power[tokens - 1 - j];
  for (std::int64_t i = 0; i < dim; ++i) {
    float* line = s.keys + i * kChunk;
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
  for (std::int64_t at = 0; at < whole.tokens; at += kChunk) {
    head.query = whole.query + at * whole.query_stride;
    head.key = whole.key + at * whole.key_stride;
    head.value = whole.value + at * whole.value_stride;
    head.output = whole.output + at * whole.output_stride;
    lightning_chunk(head, std::min(kChunk, whole.tokens - at), scratch);
  }
}

// -------------------------------------------------------------------------------- gated delta rule

/// exp(x) for x <= 0; zero where it does not reach any sum (denormal factors are slow).
Vec decay_of(const Vec& x) { return Vec::blendv(x.exp(), Vec(0.0F), x < Vec(-80.0F)); }

float decay_of(float x) { return x < -80 ? 0 : std::exp(x); }

/// What one head needs beside its inputs.
struct DeltaScratch {
  DeltaScratch(float* at, std::int64_t key_dim, std::int64_t value_dim)
      : keys(at),
        u(keys + kChunk * key_dim),
        output(u + kChunk * value_dim),
        between(output + kChunk * value_dim),
        system(between + kChunk * kChunk),
        scores(system + kChunk * kChunk),
        sum(scores + 16 * kChunk),
        to_end(sum + kChunk) {}
  float* keys;          // [key_dim, chunk]
  float *u, *output;    // [chunk, value_dim]
  float* between;       // [chunk, chunk]: exp(c_i - c_j), zero above the diagonal
  float* system;        // [chunk, chunk]: -A below the diagonal
  float* scores;        // [16, chunk]
  float *sum, *to_end;  // [chunk]: c, the sums of log decays; exp(c_last - c)
};

/// The decays of a chunk; behind its tokens the sums stay what they were.
void fill_decays(const DeltaRuleHead& in, std::int64_t tokens, DeltaScratch& s) {
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
    for (std::int64_t j = 0; j < kChunk; j += kWidth)  // above the diagonal it could overflow
      decay_of(at::vec::minimum(own - Vec::loadu(s.sum + j), zero)).store(row + j);
    std::fill(row + i + 1, row + kChunk, 0.0F);
  }
}

/// Rows of u from `first` on, given those before: u_i -= sum_{j < i} A_ij u_j.
void substitute(const DeltaRuleHead& in, std::int64_t first, std::int64_t rows, DeltaScratch& s) {
  const std::int64_t dim = in.value_dim;
  block_product({s.system + first * kChunk, kChunk, 1}, {s.u, dim}, {s.u + first * dim, dim}, rows,
                dim, first, true);
  for (std::int64_t i = first + 1; i < first + rows; ++i)
    for (std::int64_t v = 0; v < dim; v += kWidth) {
      float* own = s.u + i * dim + v;
      Vec sum = Vec::loadu(own);
      for (std::int64_t j = first; j < i; ++j)
        sum = at::vec::fmadd(Vec(s.system[i * kChunk + j]), Vec::loadu(s.u + j * dim + v), sum);
      sum.store(own);
    }
}

/// One chunk, in the letters of the literature: with S the state before it and c the sums of log
/// decays, (I + A) U = beta (V - exp(c) K S), where A_ij = beta_i exp(c_i - c_j) k_i k_j for j < i;
/// o_i = exp(c_i) q_i S + sum_{j<=i} exp(c_i - c_j) (q_i k_j) u_j.
void delta_chunk(const DeltaRuleHead& in, std::int64_t tokens, DeltaScratch& s) {
  constexpr std::int64_t kRows = 16;
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
      const Vec minus_beta(-in.beta[(first + r) * in.beta_stride]);
      float* row = system + r * kChunk;
      const float* between = s.between + (first + r) * kChunk;
      for (std::int64_t j = 0; j < seen; j += kWidth)
        (Vec::loadu(row + j) * Vec::loadu(between + j) * minus_beta).store(row + j);
    }
    substitute(in, first, rows, s);

    const Block<const float> query{in.query + first * in.query_stride, in.query_stride};
    const Block<float> output{s.output, dim}, scores{s.scores, kChunk};
    block_product(query, state, output, rows, dim, in.key_dim, false);
    block_product(query, keys, scores, rows, whole_vectors(seen), in.key_dim, false);
    for (std::int64_t r = 0; r < rows; ++r) {
      scale_row(output.row(r), dim, decay_of(s.sum[first + r]));
      const float* between = s.between + (first + r) * kChunk;
      for (std::int64_t j = 0; j < seen; j += kWidth)
        (Vec::loadu(scores.row(r) + j) * Vec::loadu(between + j)).store(scores.row(r) + j);
    }
    block_product({s.scores, kChunk, 1}, {s.u, dim}, output, rows, dim, seen, true);
    for (std::int64_t r = 0; r < rows; ++r)
      std::copy_n(output.row(r), dim, in.output + (first + r) * in.output_stride);
  }
  for (std::int64_t i = 0; i < in.key_dim; ++i) {
    float* line = s.keys + i * kChunk;
    for (std::int64_t j = 0; j < tokens; j += kWidth)
      (Vec::loadu(line + j) * Vec::loadu(s.to_end + j)).store(line + j);
    scale_row(in.state + i * dim, dim, decay_of(s.sum[tokens - 1]));
  }
  block_product(keys, {s.u, dim}, {in.state, dim}, in.key_dim, dim, tokens, true);
}

void delta_rule(const DeltaRuleHead& whole) {
  DeltaScratch scratch(whole.scratch, whole.key_dim, whole.value_dim);
  DeltaRuleHead head = whole;
  for (std::int64_t at = 0; at < whole.tokens; at += kChunk) {
    head.query = whole.query + at * whole.query_stride;
    head.key = whole.key + at * whole.key_stride;
    head.value = whole.value + at * whole.value_stride;
    head.log_decay = whole.log_decay + at * whole.decay_stride;
    head.beta = whole.beta + at * whole.beta_stride;
    head.output = whole.output + at * whole.output_stride;
    delta_chunk(head, std::min(kChunk, whole.tokens - at), scratch);
  }
}

// ------------------------------------------------------------------------------- softmax attention

/// Some positions' queries of all heads of a group: one a lane, position by position.
struct Tile {
  Tile(float* at, std::int64_t dim)
      : query(at),
        output(query + dim * kAttentionLanes),
        largest(output + dim * kAttentionLanes),
        sum(largest + kAttentionLanes) {}
  float *query, *output;  // [dim, lanes]
  float *largest, *sum;   // [lanes], of the scores and their exponentials so far
};

void start_tile(const AttentionGroup& in, Tile tile, std::int64_t begin, std::int64_t end) {
  std::fill(tile.query, tile.query + in.dim * kAttentionLanes, 0.0F);
  std::fill(tile.output, tile.output + in.dim * kAttentionLanes, 0.0F);
  std::fill(tile.largest, tile.largest + kAttentionLanes, -std::numeric_limits<float>::infinity());
  std::fill(tile.sum, tile.sum + kAttentionLanes, 0.0F);
  // Scores as exponents of two.
  constexpr float kLog2E = 1.44269504088896F;
  float* lane = tile.query;
  for (std::int64_t t = begin; t < end; ++t)
    for (std::int64_t g = 0; g < in.groups; ++g, ++lane) {
      const float* x = in.query + g * in.query_head + t * in.query_row;
      for (std::int64_t i = 0; i < in.dim; ++i)
        lane[i * kAttentionLanes] = in.scale * kLog2E * x[i];
    }
}

/// Hides keys from the positions before them. scores [count, lanes] of the keys from `first` on.
void hide_future(const AttentionGroup& in, float* scores, std::int64_t first, std::int64_t count,
                 std::int64_t begin, std::int64_t end) {
  const std::int64_t past = in.keys - in.rows;
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int64_t seen_from = std::min(end, first + j - past);  // the first position to see it
    if (seen_from <= begin) continue;
    std::fill_n(scores + j * kAttentionLanes, (seen_from - begin) * in.groups,
                -std::numeric_limits<float>::infinity());
  }
}

/// 2^x for x <= 0, to 2 units in the last place; what is below 2^-120 counts as that. NaN is
/// hidden.
Vec power_of_two(const Vec& x) {
#ifdef CPU_CAPABILITY_AVX512
  const __m512 bounded = _mm512_max_ps(x, _mm512_set1_ps(-120.0F));
  const __m512 whole = _mm512_roundscale_ps(bounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 part = _mm512_sub_ps(bounded, whole);  // -0.5 to 0.5: Cephes' polynomial
  __m512 power = _mm512_set1_ps(1.535336188319500e-4F);
  for (const float c : {1.339887440266574e-3F, 9.618437357674640e-3F, 5.550332471162809e-2F,
                        2.402264791363012e-1F, 6.931472028550421e-1F, 1.0F})
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(c));
  return _mm512_scalef_ps(power, whole);
#else
  constexpr float kLog2 = 0.693147180559945F;
  return (x * Vec(kLog2)).exp_u20();
#endif
}

/// scores [count, lanes] to 2^(score - largest), bringing the tile forward.
void exponentiate(Tile tile, float* scores, std::int64_t count, std::int64_t lanes,
                  std::int64_t dim) {
  for (std::int64_t lane = 0; lane < lanes; lane += kWidth) {
    const Vec before = Vec::loadu(tile.largest + lane);
    Vec largest = before;
    for (std::int64_t j = 0; j < count; ++j)
      largest = at::vec::maximum(largest, Vec::loadu(scores + j * kAttentionLanes + lane));
    // The difference brings back NaN, which the power hides.
    Vec sum = largest - largest;
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

void finish_tile(const AttentionGroup& in, Tile tile, std::int64_t begin, std::int64_t end) {
  const float* lane = tile.output;
  const float* sum = tile.sum;
  for (std::int64_t t = begin; t < end; ++t)
    for (std::int64_t g = 0; g < in.groups; ++g, ++lane, ++sum) {
      float* to = in.output + g * in.output_head + t * in.output_row;
      for (std::int64_t i = 0; i < in.dim; ++i) to[i] = lane[i * kAttentionLanes] / *sum;
    }
}

/// Scores lie transposed, keys by queries, so that keys and values are read as they are stored,
/// each block of them once for all tiles.
void attention(const AttentionGroup& in) {
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

template <typename T>
const Kernels<T>& table() {
  static constexpr Kernels<T> kTable = {rms_norm<T>,        rotary<T>,    silu_product<T>,
                                        sigmoid_product<T>, lightning<T>, attention,
                                        delta_rule,         kWidth};
  return kTable;
}

template const Kernels<float>& table<float>();
template const Kernels<BFloat16>& table<BFloat16>();

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
