// Softmax attention with grouped heads and without QK norms, as in the hybrids with Mamba-2 layers
// and in MiniMax.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "models/arch/decoder.h"

namespace niah::models {

/// Sizes and factors of the mixer.
struct GroupedAttentionShape {
  std::int64_t d = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t rotated = 0;  ///< rotated dimensions of a head; 0: no rotary embedding
  bool bias = false;         ///< whether all four projections have a bias
  double scale = 1;          ///< factor on q·k
  double key_factor = 1;     ///< factor on keys before the rotation
};

/// The mixer. Tensors q_proj, k_proj, v_proj, o_proj.
struct GroupedAttention : Mixer {
  GroupedAttention(const GroupedAttentionShape& shape, TensorSource& source,
                   const std::string& name);
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override;
  MixerInfo describe() const override;

  GroupedAttentionShape shape;
  std::shared_ptr<Linear> q_proj, k_proj, v_proj, o_proj;
};

/// Reads num_attention_heads, num_key_value_heads (null: as many; absent: `kv_heads_fallback`, or
/// as many if that is 0) and, if `has_head_dim`, head_dim (default: hidden_size / heads); `d` is
/// hidden_size. The scale is head_dim^-1/2. Throws DataError for numbers that do not divide.
GroupedAttentionShape read_grouped_attention(ConfigReader& reader, std::int64_t d,
                                             std::int64_t kv_heads_fallback, bool has_head_dim);

/// Adds the fields that affect the result to ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const GroupedAttentionShape& shape);

}  // namespace niah::models
