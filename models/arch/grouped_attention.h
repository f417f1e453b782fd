// Softmax attention with grouped heads and no norms of queries and keys, as hybrids with Mamba-2
// and lightning layers have it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "models/arch/decoder.h"

namespace niah::models {

struct GroupedAttentionShape {
  std::int64_t d = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t rotated = 0;  ///< numbers of a head that turn with the position; 0: none
  bool bias = false;         ///< of all four projections
  double scale = 1;          ///< on the product of query and key
  double key_factor = 1;     ///< on keys, before they turn
};

/// Tensors q_proj, k_proj, v_proj, o_proj.
struct GroupedAttention : Mixer {
  GroupedAttention(const GroupedAttentionShape& shape, TensorSource& source,
                   const std::string& name);
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override;
  MixerInfo describe() const override;

  GroupedAttentionShape shape;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, o_proj;
};

/// The shape that hidden_size, num_attention_heads, num_key_value_heads (null: as many) and, where
/// the architecture has it, head_dim (null: hidden_size / heads) give, with the usual scale.
/// Throws DataError for heads that do not divide.
GroupedAttentionShape read_grouped_attention(ConfigReader& reader, std::int64_t d,
                                             std::int64_t kv_heads_fallback, bool has_head_dim);

/// Adds what changes the result to ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const GroupedAttentionShape& shape);

}  // namespace niah::models
