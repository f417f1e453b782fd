// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434) without positions, as in Kimi Linear:
// keys and values of all heads are made of one narrow latent, and that is what is cached.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/arch/decoder.h"

namespace niah::models {

/// Sizes: a head's query and key are `own_dim` numbers of its own and `shared_dim` of which the
/// key's are all heads' alike.
struct LatentAttentionShape {
  std::int64_t d = 0, heads = 0;
  std::int64_t own_dim = 0, shared_dim = 0, value_dim = 0;
  std::int64_t rank = 0;  ///< the latent's width
  bool bias = false;      ///< on kv_a_proj_with_mqa and o_proj

  std::int64_t key_dim() const { return own_dim + shared_dim; }
  /// Numbers kept a token: the latent and the shared part of the key.
  std::int64_t kept() const { return rank + shared_dim; }
  /// Width of the keys and values that are made: attention's kernels want one for both.
  std::int64_t made_dim() const { return std::max(key_dim(), value_dim); }
  /// Up to so many queries attend to latents: where making the keys and values of a token costs as
  /// much as the wider products with its latent do.
  std::int64_t latent_rows() const;
};

/// Softmax attention to what latents say. Few queries attend to the latents themselves, W_K and W_V
/// moved to the other side of the products; many to keys and values that are made of them for the
/// pass, which costs more at first and less for each query.
struct LatentAttention : Mixer {
  LatentAttention(const LatentAttentionShape& shape, TensorSource& source, const std::string& name);
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override;
  MixerInfo describe() const override;

  LatentAttentionShape shape;
  /// Numbers of keys and values that are made at a time, of one head at least: those of a long text
  /// are many times what is kept of it.
  std::int64_t most_made = std::int64_t{1} << 26;
  std::shared_ptr<Linear> q_proj, kv_a_proj_with_mqa, kv_b_proj, o_proj;
  std::shared_ptr<RmsNorm> kv_a_layernorm;

 private:
  at::Tensor attend_latents(const at::Tensor& query, const std::vector<KeyValue>& seen,
                            const Pass& pass) const;
  at::Tensor attend_heads(const at::Tensor& query, const std::vector<KeyValue>& seen, bool cached,
                          const Pass& pass) const;
  KeyValue keys_and_values(const at::Tensor& kept, std::int64_t first, std::int64_t count) const;
};

/// See ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const LatentAttentionShape& shape);

}  // namespace niah::models
