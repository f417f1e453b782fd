#include "models/surgery/restore.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "harness/base/error.h"

namespace niah::models {
namespace {

const at::Tensor& find(const WeightMap& weights, const std::string& name) {
  const auto found = weights.find(name);
  if (found == weights.end())
    throw DataError(
        fmt::format("restoring: tensor '{}' is missing from one of the checkpoints", name));
  return found->second;
}

void take(const WeightMap& pre, WeightMap& into, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const at::Tensor& old = find(pre, name);
    const at::Tensor& now = find(into, name);
    if (old.sizes() != now.sizes())
      throw DataError(fmt::format(
          "restoring: tensor '{}' is {} before the fine-tune and {} after it; these are not two "
          "checkpoints of one model",
          name, format_shape(old.sizes().vec()), format_shape(now.sizes().vec())));
    into[name] = old;
  }
}

/// The rows of `count` heads of a projection [H*D, d], from head `first`.
at::Tensor rows_of_heads(const at::Tensor& weight, std::int64_t first, std::int64_t count,
                         const SoftmaxLayer& layer) {
  return weight.narrow(0, first * layer.head_dim, count * layer.head_dim);
}

at::Tensor gram(const at::Tensor& a, const at::Tensor& b) {
  return at::matmul(a, b.transpose(-2, -1));
}

/// Distance of a transformed projection from the fine-tune's, from Gram matrices alone:
/// |T W - W'|_F with squares = W W^T, cross = W W'^T and |W'|^2 = target.
at::Tensor distance(const at::Tensor& transform, const at::Tensor& squares, const at::Tensor& cross,
                    const at::Tensor& target) {
  const at::Tensor moved = (at::matmul(transform, squares) * transform).sum({-2, -1});
  const at::Tensor shared = (transform * cross.transpose(-2, -1)).sum({-2, -1});
  // Rounding may leave a little less than nothing of a distance of zero, and the root of zero has
  // no slope.
  return (moved - 2 * shared + target).clamp_min(1e-24 * target.max().item<double>()).sqrt().sum();
}

/// A of one key head, K [D, d] with the query heads Q [h, D, d] that use it.
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

at::Tensor part_of_heads(const at::Tensor& weight, std::int64_t first, std::int64_t count,
                         const SoftmaxLayer& layer) {
  return rows_of_heads(weight, first, count, layer)
      .to(at::kDouble)
      .view({count, layer.head_dim, weight.size(1)});
}

at::Tensor procrustes_query(const at::Tensor& query_pre, const at::Tensor& query_post,
                            const at::Tensor& key_pre, const SoftmaxLayer& layer, double lambda) {
  const std::int64_t share = layer.heads / layer.kv_heads;
  at::Tensor result = at::empty_like(query_post);
  for (std::int64_t head = 0; head < layer.kv_heads; ++head) {
    const at::Tensor post = part_of_heads(query_post, head * share, share, layer);  // [h, D, d]
    const at::Tensor change = part_of_heads(query_pre, head * share, share, layer) - post;
    const at::Tensor key = part_of_heads(key_pre, head, 1, layer)[0];  // [D, d]
    const at::Tensor squares = gram(key, key);                         // [D, D]
    const at::Tensor ridge = squares + lambda * at::eye(layer.head_dim, squares.options());
    // G and (G + lambda I)^-1 commute, so the solve can come first.
    const at::Tensor moved = post + at::matmul(at::linalg_solve(ridge, squares), change);
    rows_of_heads(result, head * share, share, layer)
        .copy_(moved.view({share * layer.head_dim, -1}));
  }
  return result;
}

std::pair<at::Tensor, at::Tensor> procrustes_exact(const at::Tensor& query_pre,
                                                   const at::Tensor& query_post,
                                                   const at::Tensor& key_pre,
                                                   const at::Tensor& key_post,
                                                   const SoftmaxLayer& layer) {
  const std::int64_t share = layer.heads / layer.kv_heads;
  at::Tensor query = at::empty_like(query_post), key = at::empty_like(key_post);
  for (std::int64_t head = 0; head < layer.kv_heads; ++head) {
    const at::Tensor queries = part_of_heads(query_pre, head * share, share, layer);  // [h, D, d]
    const at::Tensor keys = part_of_heads(key_pre, head, 1, layer)[0];                // [D, d]
    const at::Tensor basis =
        nearest_basis(queries, part_of_heads(query_post, head * share, share, layer), keys,
                      part_of_heads(key_post, head, 1, layer)[0]);
    rows_of_heads(query, head * share, share, layer)
        .copy_(at::matmul(basis.t(), queries).view({share * layer.head_dim, -1}));
    rows_of_heads(key, head, 1, layer).copy_(at::linalg_solve(basis, keys));
  }
  return {query, key};
}

std::vector<SoftmaxLayer> choose_layers(const std::vector<SoftmaxLayer>& layers,
                                        const RestoreOptions& options) {
  std::set<std::int64_t> wanted;
  if (options.layers) wanted.insert(options.layers->begin(), options.layers->end());
  std::vector<SoftmaxLayer> chosen;
  for (const SoftmaxLayer& layer : layers) {
    const bool by_default = layer.window == 0 || options.windows;
    if (options.layers ? wanted.erase(layer.index) > 0 : by_default) chosen.push_back(layer);
  }
  if (!wanted.empty()) {
    std::vector<std::int64_t> known;
    for (const SoftmaxLayer& layer : layers) known.push_back(layer.index);
    throw UsageError(fmt::format("restoring: layer {} cannot be restored; this model's {} can",
                                 fmt::join(wanted, ", "), fmt::join(known, ", ")));
  }
  if (chosen.empty()) throw UsageError("restoring: the model has no softmax layer to restore");
  return chosen;
}

at::Tensor interpolated(const at::Tensor& after, const at::Tensor& restored, double alpha) {
  if (alpha == 1) return restored;
  const bool wide = after.scalar_type() == at::kDouble || restored.scalar_type() == at::kDouble;
  const at::ScalarType type = wide ? at::kDouble : at::kFloat;
  const at::Tensor start = after.to(type);
  return (start + alpha * (restored.to(type) - start)).to(after.scalar_type());
}

std::vector<std::string> restored_names(const SoftmaxLayer& layer, RestoreMethod method) {
  std::vector<std::string> names;
  const auto add = [&](const std::vector<std::string>& more) {
    names.insert(names.end(), more.begin(), more.end());
  };
  switch (method) {
    case RestoreMethod::kQk:
      add(layer.query);
      add(layer.key);
      break;
    case RestoreMethod::kQkPro:
      add({layer.query[0]});
      add(layer.key);
      break;
    case RestoreMethod::kQkProExact:
      add({layer.query[0], layer.key[0]});
      break;
    case RestoreMethod::kQ:
      add(layer.query);
      break;
    case RestoreMethod::kK:
      add(layer.key);
      break;
    case RestoreMethod::kV:
      add(layer.value);
      break;
  }
  return names;
}

void restore_layer(const WeightMap& pre, WeightMap& into, const SoftmaxLayer& layer,
                   const RestoreOptions& options) {
  const std::string& query = layer.query[0];
  const std::string& key = layer.key[0];
  const std::vector<std::string> names = restored_names(layer, options.method);
  WeightMap post;
  for (const std::string& name : names) post.emplace(name, find(into, name));
  take(pre, into, names);
  if (options.method == RestoreMethod::kQkPro)
    into[query] = procrustes_query(find(pre, query), find(post, query), find(pre, key), layer,
                                   options.lambda);
  if (options.method == RestoreMethod::kQkProExact)
    std::tie(into[query], into[key]) = procrustes_exact(find(pre, query), find(post, query),
                                                        find(pre, key), find(post, key), layer);
  for (const std::string& name : names)
    into[name] = interpolated(post.at(name), into[name], options.alpha);
}

std::vector<SoftmaxLayer> linear_layers(const CausalLM& model) {
  std::vector<SoftmaxLayer> layers;
  const auto parameters = model.named_parameters();
  for (std::int64_t i = 0; i < model.num_layers(); ++i) {
    const LayerKind kind = model.info().layers[static_cast<std::size_t>(i)];
    if (kind == LayerKind::kSoftmax || kind == LayerKind::kSlidingWindow) continue;
    SoftmaxLayer layer;
    layer.index = i;
    for (const auto& [part, names] :
         {std::pair{"q_proj", &layer.query}, std::pair{"k_proj", &layer.key},
          std::pair{"v_proj", &layer.value}})
      for (const char* kind_of_tensor : {"weight", "bias"}) {
        std::string name = fmt::format("model.layers.{}.self_attn.{}.{}", i, part, kind_of_tensor);
        if (parameters.contains(name)) names->push_back(std::move(name));
      }
    layers.push_back(std::move(layer));
  }
  return layers;
}

WeightMap restore(const WeightMap& pre, const WeightMap& post,
                  const std::vector<SoftmaxLayer>& layers, const RestoreOptions& options) {
  WeightMap restored = post;
  for (const SoftmaxLayer& layer : choose_layers(layers, options))
    restore_layer(pre, restored, layer, options);
  return restored;
}

}  // namespace niah::models
