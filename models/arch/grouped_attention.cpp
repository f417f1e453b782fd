#include "models/arch/grouped_attention.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

namespace niah::models {

GroupedAttention::GroupedAttention(const GroupedAttentionShape& shape, TensorSource& source,
                                   const std::string& name)
    : Mixer(name), shape(shape) {
  q_proj = add_linear(source, "q_proj", shape.d, shape.heads * shape.head_dim, shape.bias);
  k_proj = add_linear(source, "k_proj", shape.d, shape.kv_heads * shape.head_dim, shape.bias);
  v_proj = add_linear(source, "v_proj", shape.d, shape.kv_heads * shape.head_dim, shape.bias);
  o_proj = add_linear(source, "o_proj", shape.heads * shape.head_dim, shape.d, shape.bias);
}

/// x [B, T, d] → [B, R, d].
at::Tensor GroupedAttention::mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                                 std::int64_t rows) const {
  at::Tensor k = (*k_proj)(x);
  if (shape.key_factor != 1) k = k * shape.key_factor;
  k = split_heads(k, shape.head_dim);  // [B, H_kv, T, D]
  if (shape.rotated > 0) k = rotate(k, pass);
  const at::Tensor v = split_heads((*v_proj)(x), shape.head_dim);  // [B, H_kv, T, D]
  const auto seen = remember(states, {k, v});
  if (rows == 0) return x.narrow(1, 0, 0);

  at::Tensor q = split_heads((*q_proj)(last_rows(x, rows)), shape.head_dim);  // [B, H, R, D]
  if (shape.rotated > 0) q = rotate(q, pass);
  return (*o_proj)(merge_heads(attend(q, seen, {shape.scale, 0, !states.empty()}, pass)));
}

MixerInfo GroupedAttention::describe() const {
  MixerInfo info = softmax_info(shape.heads, shape.kv_heads, shape.head_dim);
  claim(info, {{Part::kQuery, "q_proj"},
               {Part::kKey, "k_proj"},
               {Part::kValue, "v_proj"},
               {Part::kOutput, "o_proj"}});
  return info;
}

GroupedAttentionShape read_grouped_attention(ConfigReader& reader, std::int64_t d,
                                             std::int64_t kv_heads_fallback, bool has_head_dim) {
  GroupedAttentionShape shape;
  shape.d = d;
  shape.heads = reader.count("num_attention_heads", 32);
  const bool is_null = reader.has("num_key_value_heads") || kv_heads_fallback == 0;
  shape.kv_heads = reader.count("num_key_value_heads", is_null ? shape.heads : kv_heads_fallback);
  check_heads(reader, "num_key_value_heads", shape.heads, shape.kv_heads);
  shape.head_dim = has_head_dim ? reader.count("head_dim", d / shape.heads) : d / shape.heads;
  if (shape.head_dim == 0 || (!has_head_dim && d % shape.heads != 0))
    reader.refuse("num_attention_heads",
                  fmt::format("{} does not divide hidden_size, {}", shape.heads, d));
  shape.scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
  return shape;
}

void add_settings(std::map<std::string, std::string>& settings,
                  const GroupedAttentionShape& shape) {
  settings["num_attention_heads"] = fmt::to_string(shape.heads);
  settings["num_key_value_heads"] = fmt::to_string(shape.kv_heads);
  settings["head_dim"] = fmt::to_string(shape.head_dim);
  settings["rotated part of a head"] = fmt::to_string(shape.rotated);
  settings["attention_bias"] = fmt::to_string(shape.bias);
  settings["attention scale"] = fmt::to_string(shape.scale);
  settings["key_multiplier"] = fmt::to_string(shape.key_factor);
}

}  // namespace niah::models
