#include "models/surgery/restore.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/optim/lbfgs.h>
#include <torch/utils.h>

#include <algorithm>
#include <tuple>

#include "harness/base/error.h"
#include "models/surgery/restored_rows.h"
#include "models/surgery/weight_parts.h"

namespace niah::models {

at::Tensor view_rows(const at::Tensor& tensor, const TensorRows& rows) {
  std::vector<std::int64_t> sizes = {rows.repetitions, rows.rows};
  std::vector<std::int64_t> strides = {rows.stride * tensor.stride(0), tensor.stride(0)};
  for (std::int64_t i = 1; i < tensor.dim(); ++i) {
    sizes.push_back(tensor.size(i));
    strides.push_back(tensor.stride(i));
  }
  return tensor.as_strided(sizes, strides, tensor.storage_offset() + rows.first * tensor.stride(0));
}

namespace {

const at::Tensor& find(const WeightMap& weights, const std::string& name) {
  const auto found = weights.find(name);
  if (found == weights.end())
    throw DataError(
        fmt::format("restoring: tensor '{}' is missing from one of the checkpoints", name));
  return found->second;
}

/// `now` with `rows` taken from `old`; `old` itself if these are all rows.
at::Tensor with_rows(const at::Tensor& now, const at::Tensor& old, const TensorRows& rows) {
  if (rows.count() == now.size(0)) return old;
  at::Tensor mixed = now.clone();
  view_rows(mixed, rows).copy_(view_rows(old, rows));
  return mixed;
}

void take(const WeightMap& pre, WeightMap& into, const std::vector<PartRows>& parts) {
  for (const PartRows& part : parts) {
    const std::string& name = part.rows.tensor;
    const at::Tensor& old = find(pre, name);
    const at::Tensor& now = find(into, name);
    if (old.sizes() != now.sizes())
      throw DataError(fmt::format(
          "restoring: tensor '{}' is {} before the fine-tune and {} after it; these are not two "
          "checkpoints of one model",
          name, format_shape(old.sizes().vec()), format_shape(now.sizes().vec())));
    into[name] = with_rows(now, old, part.rows);
  }
}

at::Tensor gram(const at::Tensor& a, const at::Tensor& b) {
  return at::matmul(a, b.transpose(-2, -1));
}

/// |T W - W'|_F, the distance of a transformed projection from that of the fine-tune, computed from
/// squares = W W^T, cross = W W'^T and target = |W'|^2.
at::Tensor distance(const at::Tensor& transform, const at::Tensor& squares, const at::Tensor& cross,
                    const at::Tensor& target) {
  const at::Tensor moved = (at::matmul(transform, squares) * transform).sum({-2, -1});
  const at::Tensor shared = (transform * cross.transpose(-2, -1)).sum({-2, -1});
  // Clamped, because rounding may make the square negative and sqrt has no gradient at zero.
  return (moved - 2 * shared + target).clamp_min(1e-24 * target.max().item<double>()).sqrt().sum();
}

/// The A of procrustes_exact for one key head [D, d] and the query heads [h, D, d] that share it.
at::Tensor nearest_basis(const at::Tensor& query_pre, const at::Tensor& query_post,
                         const at::Tensor& key_pre, const at::Tensor& key_post) {
  const at::Tensor q_squares = gram(query_pre, query_pre), q_cross = gram(query_pre, query_post);
  const at::Tensor k_squares = gram(key_pre, key_pre), k_cross = gram(key_pre, key_post);
  const at::Tensor q_target = query_post.square().sum({-2, -1});
  const at::Tensor k_target = key_post.square().sum({-2, -1});
  const torch::AutoGradMode with_gradients(true);
  at::Tensor basis = at::eye(key_pre.size(0), key_pre.options()).requires_grad_();
  torch::optim::LBFGS optimiser({basis}, torch::optim::LBFGSOptions(1)
                                             .max_iter(500)
                                             .tolerance_grad(1e-10)
                                             .tolerance_change(1e-14)
                                             .history_size(20)
                                             .line_search_fn("strong_wolfe"));
  const auto objective = [&] {
    return distance(basis.t(), q_squares, q_cross, q_target) +
           distance(at::linalg_inv(basis), k_squares, k_cross, k_target);
  };
  optimiser.step([&] {
    optimiser.zero_grad();
    at::Tensor loss = objective();
    loss.backward();
    return loss;
  });
  return basis.detach();
}

}  // namespace

namespace {

at::Tensor heads_of(const WeightMap& weights, const MixerInfo& mixer, Part part,
                    std::int64_t heads) {
  const PartRows rows = weight_of(mixer, part);
  const at::Tensor& tensor = find(weights, rows.rows.tensor);
  return view_rows(tensor, rows.rows).view({heads, mixer.head_dim, tensor.size(1)});
}

/// `count` heads of [H, D, d] in fp64; all at once would need too much memory.
at::Tensor wide(const at::Tensor& heads, std::int64_t first, std::int64_t count) {
  return heads.narrow(0, first, count).to(at::kDouble);
}

}  // namespace

at::Tensor query_heads(const WeightMap& weights, const MixerInfo& mixer) {
  return heads_of(weights, mixer, Part::kQuery, mixer.heads);
}

at::Tensor key_heads(const WeightMap& weights, const MixerInfo& mixer) {
  return heads_of(weights, mixer, Part::kKey, mixer.kv_heads);
}

at::Tensor procrustes_query(const at::Tensor& query_pre, const at::Tensor& query_post,
                            const at::Tensor& key_pre, double lambda) {
  const std::int64_t share = query_pre.size(0) / key_pre.size(0);
  at::Tensor result = at::empty(query_post.sizes(), query_post.options());
  for (std::int64_t head = 0; head < key_pre.size(0); ++head) {
    const at::Tensor post = wide(query_post, head * share, share);  // [h, D, d]
    const at::Tensor change = wide(query_pre, head * share, share) - post;
    const at::Tensor key = wide(key_pre, head, 1)[0];  // [D, d]
    const at::Tensor squares = gram(key, key);         // [D, D]
    const at::Tensor ridge = squares + lambda * at::eye(key.size(0), squares.options());
    // G and (G + lambda I)^-1 commute, so a single solve gives their product.
    const auto [filter, problem] = at::linalg_solve_ex(ridge, squares);
    if (problem.item<int>() != 0)
      throw UsageError(fmt::format(
          "restoring: qk-pro with lambda {} has no solution if W_K of a head does not have full "
          "rank, as here in key head {}; give a larger lambda",
          lambda, head));
    result.narrow(0, head * share, share).copy_(post + at::matmul(filter, change));
  }
  return result;
}

std::pair<at::Tensor, at::Tensor> procrustes_exact(const at::Tensor& query_pre,
                                                   const at::Tensor& query_post,
                                                   const at::Tensor& key_pre,
                                                   const at::Tensor& key_post) {
  const std::int64_t share = query_pre.size(0) / key_pre.size(0);
  at::Tensor query = at::empty(query_post.sizes(), query_post.options());
  at::Tensor key = at::empty(key_post.sizes(), key_post.options());
  for (std::int64_t head = 0; head < key_pre.size(0); ++head) {
    const at::Tensor queries = wide(query_pre, head * share, share);  // [h, D, d]
    const at::Tensor keys = wide(key_pre, head, 1)[0];                // [D, d]
    const at::Tensor basis = nearest_basis(queries, wide(query_post, head * share, share), keys,
                                           wide(key_post, head, 1)[0]);
    query.narrow(0, head * share, share).copy_(at::matmul(basis.t(), queries));
    key.select(0, head).copy_(at::linalg_solve(basis, keys));
  }
  return {query, key};
}

at::Tensor interpolated(const at::Tensor& after, const at::Tensor& restored, double alpha) {
  if (alpha == 0) return after;  // after + 0 * (...) would turn -0 into 0, and infinities into NaN
  if (alpha == 1) return restored;
  const bool wide = after.scalar_type() == at::kDouble || restored.scalar_type() == at::kDouble;
  const at::ScalarType type = wide ? at::kDouble : at::kFloat;
  const at::Tensor start = after.to(type);
  return (start + alpha * (restored.to(type) - start)).to(after.scalar_type());
}

WeightMap renamed(const WeightMap& weights, const ModelInfo& model, const ModelInfo& other) {
  const auto names = counterparts(model, other);
  WeightMap result;
  for (const auto& [name, tensor] : weights) {
    const auto found = names.find(name);
    result.emplace(found == names.end() ? name : found->second, tensor);
  }
  return result;
}

namespace {

/// Replaces the mixer's W_Q or W_K by `heads`.
void put_heads(WeightMap& weights, const MixerInfo& mixer, Part part, const at::Tensor& heads) {
  const TensorRows rows = weight_of(mixer, part).rows;
  const at::Tensor& now = find(weights, rows.tensor);
  if (rows.count() == now.size(0)) {
    weights[rows.tensor] = heads.reshape(now.sizes());
    return;
  }
  at::Tensor mixed = now.clone();
  at::Tensor place = view_rows(mixed, rows);
  place.copy_(heads.view(place.sizes()));
  weights[rows.tensor] = mixed;
}

/// The tensors of `weights` that `rows` belong to.
WeightMap tensors_at(const std::vector<PartRows>& rows, const WeightMap& weights) {
  WeightMap tensors;
  for (const PartRows& part : rows)
    tensors.emplace(part.rows.tensor, find(weights, part.rows.tensor));
  return tensors;
}

/// Brings the tensors of `post` in `into` only as far towards their restored values as `alpha`.
void interpolate(const WeightMap& post, WeightMap& into, double alpha) {
  for (const auto& [name, after] : post) into[name] = interpolated(after, into[name], alpha);
}

}  // namespace

void copy_rows(const WeightMap& pre, WeightMap& into, const std::vector<PartRows>& rows,
               double alpha) {
  const WeightMap post = tensors_at(rows, into);
  take(pre, into, rows);
  interpolate(post, into, alpha);
}

void restore_rows(const WeightMap& pre, WeightMap& into, const MixerInfo& mixer,
                  const std::vector<PartRows>& rows, const RestoreOptions& options) {
  if (!makes_new_weights(options.method)) return copy_rows(pre, into, rows, options.alpha);
  const WeightMap post = tensors_at(rows, into);
  take(pre, into, rows);
  if (options.method == RestoreMethod::kQkPro)
    put_heads(into, mixer, Part::kQuery,
              procrustes_query(query_heads(pre, mixer), query_heads(post, mixer),
                               key_heads(pre, mixer), options.lambda));
  if (options.method == RestoreMethod::kQkProExact) {
    const auto [query, key] = procrustes_exact(query_heads(pre, mixer), query_heads(post, mixer),
                                               key_heads(pre, mixer), key_heads(post, mixer));
    put_heads(into, mixer, Part::kQuery, query);
    put_heads(into, mixer, Part::kKey, key);
  }
  interpolate(post, into, options.alpha);
}

WeightMap restore(const WeightMap& pre, const WeightMap& post, const ModelInfo& info,
                  const RestoreOptions& options) {
  WeightMap restored = post;
  if (options.method == RestoreMethod::kParts) {
    copy_rows(pre, restored, rows_of_parts(info, options), options.alpha);
    return restored;
  }
  for (const std::int64_t index : choose_layers(info, options)) {
    const MixerInfo& mixer = info.mixers[static_cast<std::size_t>(index)];
    restore_rows(pre, restored, mixer, restored_rows(mixer, options.method), options);
  }
  return restored;
}

}  // namespace niah::models
