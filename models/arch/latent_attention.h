// Multi-head latent attention (MLA; DeepSeek-V2, arXiv 2405.04434) without positions, as in Kimi
// Linear: keys and values of all heads are projected from one narrow latent vector per token, which
// is what is cached.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/arch/decoder.h"

namespace niah::models {

/// Sizes. Queries and keys of a head have own_dim dimensions followed by shared_dim dimensions; the
/// shared part of a key is the same for all heads.
struct LatentAttentionShape {
  std::int64_t d = 0, heads = 0;
  std::int64_t own_dim = 0, shared_dim = 0, value_dim = 0;
  std::int64_t rank = 0;  ///< width of the latent vector
  bool bias = false;      ///< whether kv_a_proj_with_mqa and o_proj have a bias

  std::int64_t key_dim() const { return own_dim + shared_dim; }
  /// Numbers cached per token: the latent vector and the shared part of the key.
  std::int64_t kept() const { return rank + shared_dim; }
  /// Width to which materialised keys and values are padded: attention kernels require equal
  /// widths.
  std::int64_t made_dim() const { return std::max(key_dim(), value_dim); }
  /// The number of query rows up to which attending to the latents directly is cheaper: beyond it,
  /// the wider products with the latent of a token cost more than materialising its keys and
  /// values.
  std::int64_t latent_rows() const;
};

/// The mixer. A few queries attend to the latents directly, with W_K absorbed into the query and
/// W_V into the output. Many queries attend to keys and values materialised for the pass, which has
/// a higher fixed cost but a lower cost per query.
struct LatentAttention : Mixer {
  LatentAttention(const LatentAttentionShape& shape, TensorSource& source, const std::string& name);
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override;
  MixerInfo describe() const override;

  LatentAttentionShape shape;
  /// Maximum of keys and values, in numbers, to materialise at a time (but at least one head),
  /// because those of a long text need many times the memory of its latents.
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

/// Adds the fields that affect the result to ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const LatentAttentionShape& shape);

}  // namespace niah::models
