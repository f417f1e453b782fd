// The gated delta rule with one decay per key channel (Kimi Delta Attention, arXiv 2510.26692), one
// head and kRows tokens (a stretch) at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "models/ops/cpu/block_product.h"
#include "models/ops/cpu/kernels.h"
#include "models/ops/cpu/linear_attention.h"
#include "models/ops/cpu/row_products.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

/// Scratch memory for one head, for stretches of kRows = 16 tokens.
struct ChannelScratch {
  ChannelScratch(float* at, std::int64_t key_dim, std::int64_t value_dim)
      : keys(at),
        decays(keys + kChunk * key_dim),
        query(decays + kRows * key_dim),
        key(query + kRows * key_dim),
        to_end(key + kRows * key_dim),
        kept(to_end + kRows * key_dim),
        walk(kept + key_dim),
        u(walk + key_dim),
        output(u + kRows * value_dim),
        system(output + kRows * value_dim),
        scores(system + kRows * kChunk) {}
  float* keys;         // [key_dim, chunk]: to_end transposed
  float* decays;       // [16, key_dim]: exp(g) of each token
  float *query, *key;  // [16, key_dim]: times the decay from before the stretch to each token
  float* to_end;       // [16, key_dim]: keys times the decay from each token to the last one
  float* kept;         // [key_dim]: decay over the whole stretch
  float* walk;         // [key_dim]: one key times the decay up to the current token
  float *u, *output;   // [16, value_dim]
  float* system;       // [16, chunk]: -A below the diagonal
  float* scores;       // [16, chunk]
};

/// Computes the decays from the start and to the end as products of the decays of single tokens.
/// None exceeds 1, and nothing is subtracted, so weak decays keep their precision next to strong
/// ones.
inline void decay_stretch(const DeltaRuleHead& in, std::int64_t tokens, ChannelScratch& s) {
  const std::int64_t dim = in.key_dim;
  for (std::int64_t k = 0; k < dim; k += kWidth) {
    Vec from_start(1.0F), to_end(1.0F);
    for (std::int64_t i = 0; i < tokens; ++i) {
      const Vec own = decay_of(Vec::loadu(in.log_decay + i * in.decay_stride + k));
      own.store(s.decays + i * dim + k);
      from_start = from_start * own;
      (Vec::loadu(in.query + i * in.query_stride + k) * from_start).store(s.query + i * dim + k);
      (Vec::loadu(in.key + i * in.key_stride + k) * from_start).store(s.key + i * dim + k);
    }
    from_start.store(s.kept + k);
    for (std::int64_t i = tokens - 1; i >= 0; --i) {
      (Vec::loadu(in.key + i * in.key_stride + k) * to_end).store(s.to_end + i * dim + k);
      to_end = to_end * Vec::loadu(s.decays + i * dim + k);
    }
  }
}

/// Products of every key j with each query and key i >= j, with the decay from j to i on each
/// channel: key j is multiplied by the decay of one token after the other. Fills the scores up to
/// the diagonal and the system below it.
inline void meet_keys(const DeltaRuleHead& in, std::int64_t tokens, ChannelScratch& s) {
  const std::int64_t dim = in.key_dim;
  for (std::int64_t j = 0; j < tokens; ++j) {
    std::copy_n(in.key + j * in.key_stride, dim, s.walk);
    for (std::int64_t i = j; i < tokens; ++i) {
      const float *query = in.query + i * in.query_stride, *key = in.key + i * in.key_stride;
      const float* own = s.decays + i * dim;
      Vec score(0.0F), overlap(0.0F);
      for (std::int64_t k = 0; k < dim; k += kWidth) {
        Vec walk = Vec::loadu(s.walk + k);
        if (i > j) walk = walk * Vec::loadu(own + k);
        walk.store(s.walk + k);
        score = at::vec::fmadd(walk, Vec::loadu(query + k), score);
        overlap = at::vec::fmadd(walk, Vec::loadu(key + k), overlap);
      }
      s.scores[i * kChunk + j] = reduced(score);
      s.system[i * kChunk + j] = -in.beta[i * in.beta_stride] * reduced(overlap);
    }
  }
}

/// At most kRows tokens. Like delta_chunk, but decays are diagonal matrices: with D_i the decay
/// from before the stretch to token i and D_ij that from j to i, (I + A) U = beta (V - (K D) S),
/// where A_ij = beta_i k_i D_ij k_j for j < i; o_i = (q_i D_i) S + sum_{j<=i} (q_i D_ij k_j) u_j.
inline void channel_stretch(const DeltaRuleHead& in, std::int64_t tokens, ChannelScratch& s) {
  const std::int64_t dim = in.value_dim;
  const Block<const float> state{in.state, dim};
  decay_stretch(in, tokens, s);
  meet_keys(in, tokens, s);
  block_product(Block<const float>{s.key, in.key_dim}, state, {s.u, dim}, tokens, dim, in.key_dim,
                false);
  for (std::int64_t i = 0; i < tokens; ++i) {
    const Vec beta(in.beta[i * in.beta_stride]);
    for (std::int64_t v = 0; v < dim; v += kWidth) {
      float* u = s.u + i * dim + v;
      (beta * (Vec::loadu(in.value + i * in.value_stride + v) - Vec::loadu(u))).store(u);
    }
  }
  substitute(s.system, s.u, 0, tokens, dim);
  const Block<float> output{s.output, dim};
  block_product(Block<const float>{s.query, in.key_dim}, state, output, tokens, dim, in.key_dim,
                false);
  for (std::int64_t i = 0; i < tokens; ++i) {
    block_product({s.scores + i * kChunk, kChunk, 1}, {s.u, dim}, {output.row(i), dim}, 1, dim,
                  i + 1, true);
    std::copy_n(output.row(i), dim, in.output + i * in.output_stride);
  }
  transpose({s.to_end, in.key_dim}, tokens, in.key_dim, s.keys);
  for (std::int64_t k = 0; k < in.key_dim; ++k) scale_row(in.state + k * dim, dim, s.kept[k]);
  block_product({s.keys, kChunk, 1}, {s.u, dim}, {in.state, dim}, in.key_dim, dim, tokens, true);
}

inline void channel_delta_rule(const DeltaRuleHead& whole) {
  ChannelScratch scratch(whole.scratch, whole.key_dim, whole.value_dim);
  for (std::int64_t at = 0; at < whole.tokens; at += kRows)
    channel_stretch(from_token(whole, at), std::min(kRows, whole.tokens - at), scratch);
}

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
