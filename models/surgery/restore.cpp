#include "models/surgery/restore.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/optim/lbfgs.h>
#include <torch/utils.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <tuple>

#include "harness/base/error.h"
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

/// The rows of W_Q or W_K, which belong to a single tensor in mixers with has_plain_routing.
PartRows weight_of(const MixerInfo& mixer, Part part) { return mixer.of(part).front(); }

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

namespace {

bool has_projections(const MixerInfo& mixer) {
  return !mixer.of(Part::kQuery).empty() || !mixer.of(Part::kKey).empty() ||
         !mixer.of(Part::kValue).empty();
}

/// "0, 1, 2 and 61 others", because a range may name very many layers.
std::string first_of(const std::set<std::int64_t>& layers) {
  constexpr std::size_t kShown = 10;
  std::vector<std::int64_t> shown;
  std::copy_n(layers.begin(), std::min(kShown, layers.size()), std::back_inserter(shown));
  const std::size_t others = layers.size() - shown.size();
  return fmt::format("{}{}", fmt::join(shown, ", "),
                     others > 0 ? fmt::format(" and {} others", others) : "");
}

bool keeps_routing(RestoreMethod method) {
  return method == RestoreMethod::kQkPro || method == RestoreMethod::kQkProExact;
}

}  // namespace

std::vector<std::int64_t> choose_layers(const ModelInfo& info, const RestoreOptions& options,
                                        bool linear) {
  if (linear && keeps_routing(options.method))
    throw UsageError(
        "restoring: qk-pro applies to softmax(Q K^T) only; linear layers can only be copied (qk, "
        "q, k, v)");
  std::set<std::int64_t> wanted;
  if (options.layers) wanted.insert(options.layers->begin(), options.layers->end());
  std::vector<std::int64_t> chosen, known;
  for (std::size_t i = 0; i < info.mixers.size(); ++i) {
    const MixerInfo& mixer = info.mixers[i];
    if (!mixer.attends && !(linear && has_projections(mixer))) continue;
    const auto index = static_cast<std::int64_t>(i);
    known.push_back(index);
    const bool by_default = mixer.cost.window == 0 || options.windows;
    if (options.layers ? wanted.erase(index) > 0 : by_default) chosen.push_back(index);
  }
  if (!wanted.empty() && !known.empty())
    throw UsageError(fmt::format(
        "restoring: {} {} cannot be restored; of this model's layers 0 to {} these can: {}",
        wanted.size() == 1 ? "layer" : "layers", first_of(wanted), info.mixers.size() - 1,
        fmt::join(known, ", ")));
  if (chosen.empty()) throw UsageError("restoring: the model has no softmax layer to restore");
  for (const std::int64_t index : chosen)
    if (keeps_routing(options.method) &&
        !info.mixers[static_cast<std::size_t>(index)].has_plain_routing)
      throw UsageError(fmt::format(
          "restoring: {} moves W_Q against W_K, but in layer {} of this model more than W_Q^T W_K "
          "decides where a head looks; only copies are possible there (qk, q, k, v)",
          restore_method_name(options.method), index));
  return chosen;
}

at::Tensor interpolated(const at::Tensor& after, const at::Tensor& restored, double alpha) {
  if (alpha == 0) return after;  // after + 0 * (...) would turn -0 into 0, and infinities into NaN
  if (alpha == 1) return restored;
  const bool wide = after.scalar_type() == at::kDouble || restored.scalar_type() == at::kDouble;
  const at::ScalarType type = wide ? at::kDouble : at::kFloat;
  const at::Tensor start = after.to(type);
  return (start + alpha * (restored.to(type) - start)).to(after.scalar_type());
}

std::vector<PartRows> restored_rows(const MixerInfo& mixer, RestoreMethod method) {
  std::vector<PartRows> rows;
  const auto add = [&](const std::vector<PartRows>& more) {
    rows.insert(rows.end(), more.begin(), more.end());
  };
  switch (method) {
    case RestoreMethod::kQk:
      add(mixer.of(Part::kQuery));
      add(mixer.of(Part::kKey));
      break;
    case RestoreMethod::kQkPro:
      add({weight_of(mixer, Part::kQuery)});
      add(mixer.of(Part::kKey));
      break;
    case RestoreMethod::kQkProExact:
      add({weight_of(mixer, Part::kQuery), weight_of(mixer, Part::kKey)});
      break;
    case RestoreMethod::kQ:
      add(mixer.of(Part::kQuery));
      break;
    case RestoreMethod::kK:
      add(mixer.of(Part::kKey));
      break;
    case RestoreMethod::kV:
      add(mixer.of(Part::kValue));
      break;
    case RestoreMethod::kParts:
      break;  // see rows_of_parts
  }
  return rows;
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
  if (!keeps_routing(options.method)) return copy_rows(pre, into, rows, options.alpha);
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
