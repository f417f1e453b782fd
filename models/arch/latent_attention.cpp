// Letters: B batch, T tokens of this pass, R wanted rows, n tokens seen, d hidden size, H heads; a
// and s dimensions of the own and the shared part of a key, v of a value, r of the latent.
#include "models/arch/latent_attention.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/ops/projection.h"

namespace niah::models {
namespace {

/// x [.., D] padded with zeros to [.., width].
at::Tensor padded(const at::Tensor& x, std::int64_t width) {
  return x.size(-1) == width ? x : at::constant_pad_nd(x, {0, width - x.size(-1)});
}

double scale_of(const LatentAttentionShape& shape) {
  return 1 / std::sqrt(static_cast<double>(shape.key_dim()));
}

}  // namespace

std::int64_t LatentAttentionShape::latent_rows() const {
  const std::int64_t wider = kept() - made_dim();
  if (wider <= 0) return std::numeric_limits<std::int64_t>::max();
  return rank * (own_dim + value_dim) / (2 * wider);
}

LatentAttention::LatentAttention(const LatentAttentionShape& shape, TensorSource& source,
                                 const std::string& name)
    : Mixer(name), shape(shape) {
  q_proj = add_linear(source, "q_proj", shape.d, shape.heads * shape.key_dim());
  kv_a_proj_with_mqa = add_linear(source, "kv_a_proj_with_mqa", shape.d, shape.kept(), shape.bias);
  constexpr double kEps = 1e-6;  // independent of rms_norm_eps
  kv_a_layernorm = add_norm(source, "kv_a_layernorm", shape.rank, kEps);
  kv_b_proj =
      add_linear(source, "kv_b_proj", shape.rank, shape.heads * (shape.own_dim + shape.value_dim));
  o_proj = add_linear(source, "o_proj", shape.heads * shape.value_dim, shape.d, shape.bias);
}

/// x [B, T, d] → [B, R, d].
at::Tensor LatentAttention::mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                                std::int64_t rows) const {
  const at::Tensor both = (*kv_a_proj_with_mqa)(x);  // [B, T, r+s]
  const at::Tensor latent = (*kv_a_layernorm)(both.narrow(-1, 0, shape.rank).contiguous());
  const at::Tensor shared_key = both.narrow(-1, shape.rank, shape.shared_dim);
  const at::Tensor kept = at::cat({latent, shared_key}, -1).unsqueeze(1);  // [B, 1, T, r+s]
  // Values are computed from the same latents, so the value cache stays empty.
  const auto seen = remember(states, {kept, kept.narrow(-1, 0, 0)});
  if (rows == 0) return x.narrow(1, 0, 0);

  const at::Tensor q =  // [B, R, H, a+s]
      (*q_proj)(last_rows(x, rows)).unflatten(-1, {shape.heads, shape.key_dim()});
  const bool is_few = !states.empty() && rows <= shape.latent_rows();
  return (*o_proj)(is_few ? attend_latents(q, seen, pass)
                          : attend_heads(q, seen, !states.empty(), pass));
}

/// Attends to the latents: q·k = (q W_K)·latent + q·shared, and W_V is applied after the sum over
/// positions. query [B, R, H, a+s] → [B, R, H*v].
at::Tensor LatentAttention::attend_latents(const at::Tensor& query,
                                           const std::vector<KeyValue>& seen,
                                           const Pass& pass) const {
  const std::int64_t a = shape.own_dim;
  const at::Tensor weight = kv_b_proj->weight.unflatten(0, {shape.heads, -1});  // [H, a+v, r]
  const at::Tensor to_key = weight.narrow(1, 0, a);
  const at::Tensor to_value = weight.narrow(1, a, shape.value_dim).transpose(1, 2);  // [H, r, v]
  const at::Tensor q = each_sequence(query, [&](const at::Tensor& one) {  // [B, H, R, r+s]
    const at::Tensor heads = one.transpose(1, 2);
    return at::cat(
        {at::matmul(heads.narrow(-1, 0, a), to_key), heads.narrow(-1, a, shape.shared_dim)}, -1);
  });
  std::vector<KeyValue> latents;
  for (const KeyValue& own : seen) latents.push_back({own.key, own.key});
  const at::Tensor o =
      attend(q, latents, {.scale = scale_of(shape)}, pass).narrow(-1, 0, shape.rank);
  return each_sequence(o.transpose(1, 2), [&](const at::Tensor& one) {
    return merge_heads(at::matmul(one.transpose(1, 2), to_value));
  });
}

/// Attends to materialised keys and values, as the equations are written: query [B, R, H, a+s] →
/// [B, R, H*v].
at::Tensor LatentAttention::attend_heads(const at::Tensor& query, const std::vector<KeyValue>& seen,
                                         bool cached, const Pass& pass) const {
  // A few heads at a time, unless an instrument watches, which expects all heads at once.
  const std::int64_t of_head = 2 * shape.made_dim() * query.size(0) * seen.front().key.size(2);
  const std::int64_t each =
      pass.watch ? shape.heads : std::clamp<std::int64_t>(most_made / of_head, 1, shape.heads);
  std::vector<at::Tensor> outputs;
  for (std::int64_t first = 0; first < shape.heads; first += each) {
    const std::int64_t count = std::min(each, shape.heads - first);
    std::vector<KeyValue> made;
    for (const KeyValue& own : seen) made.push_back(keys_and_values(own.key, first, count));
    const at::Tensor q = query.narrow(2, first, count).transpose(1, 2);  // [B, h, R, a+s]
    const Attention how{.scale = scale_of(shape), .cached = cached};
    outputs.push_back(
        attend(padded(q, shape.made_dim()), made, how, pass).narrow(-1, 0, shape.value_dim));
  }
  return merge_heads(at::cat(outputs, 1));
}

/// Keys and values of h = `count` heads from `first` on, both padded to D = made_dim(): kept
/// [B, 1, n, r+s] → [B, h, n, D].
KeyValue LatentAttention::keys_and_values(const at::Tensor& kept, std::int64_t first,
                                          std::int64_t count) const {
  const std::int64_t made = shape.own_dim + shape.value_dim;
  const at::Tensor latent = kept.select(1, 0).narrow(-1, 0, shape.rank);  // [B, n, r]
  const at::Tensor both =                                                 // [B, h, n, a+v]
      split_heads(project(latent, kv_b_proj->weight.narrow(0, first * made, count * made)), made);
  const at::Tensor shared_key =
      kept.narrow(-1, shape.rank, shape.shared_dim).expand({-1, count, -1, -1});
  return {padded(at::cat({both.narrow(-1, 0, shape.own_dim), shared_key}, -1), shape.made_dim()),
          padded(both.narrow(-1, shape.own_dim, shape.value_dim), shape.made_dim())};
}

MixerInfo LatentAttention::describe() const {
  const std::int64_t a = shape.own_dim, v = shape.value_dim, r = shape.rank, s = shape.shared_dim;
  MixerInfo info;
  info.letter = 'A';
  info.name = "latent softmax";
  info.attends = true;
  info.heads = info.kv_heads = shape.heads;
  info.head_dim = shape.key_dim();
  info.cost.kv_values = shape.kept();
  info.cost.query_values = shape.heads * shape.made_dim();
  claim(info, {{Part::kQuery, "q_proj"}});
  claim_rows(info, Part::kKey, "kv_b_proj", {"", 0, a, a + v, shape.heads});
  claim_rows(info, Part::kKey, "kv_a_proj_with_mqa", {"", r, s, s, 1});
  claim_rows(info, Part::kValue, "kv_b_proj", {"", a, v, a + v, shape.heads});
  // The latent belongs to keys and values alike.
  claim_rows(info, Part::kOther, "kv_a_proj_with_mqa", {"", 0, r, r, 1});
  claim(info, {{Part::kNorm, "kv_a_layernorm"}, {Part::kOutput, "o_proj"}});
  return info;
}

void add_settings(std::map<std::string, std::string>& settings, const LatentAttentionShape& shape) {
  settings["num_attention_heads"] = fmt::to_string(shape.heads);
  settings["qk_nope_head_dim"] = fmt::to_string(shape.own_dim);
  settings["qk_rope_head_dim"] = fmt::to_string(shape.shared_dim);
  settings["v_head_dim"] = fmt::to_string(shape.value_dim);
  settings["kv_lora_rank"] = fmt::to_string(shape.rank);
  settings["attention_bias"] = fmt::to_string(shape.bias);
}

}  // namespace niah::models
