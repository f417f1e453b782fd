#include "models/surgery/restore.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <array>

#include "harness/base/error.h"
#include "harness/base/text.h"

namespace niah::models {
namespace {

constexpr std::array<std::pair<RestoreMethod, const char*>, 5> kMethods = {{
    {RestoreMethod::kQk, "qk"},
    {RestoreMethod::kQkPro, "qk-pro"},
    {RestoreMethod::kQ, "q"},
    {RestoreMethod::kK, "k"},
    {RestoreMethod::kV, "v"},
}};

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

}  // namespace

RestoreMethod parse_restore_method(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [method, text] : kMethods) {
    if (name == text) return method;
    known.emplace_back(text);
  }
  throw UsageError(fmt::format("'{}' is not a restore method (qk, qk-pro, q, k, v){}", name,
                               did_you_mean(name, known)));
}

std::string restore_method_name(RestoreMethod method) {
  for (const auto& [known, text] : kMethods)
    if (known == method) return text;
  throw std::logic_error("unknown restore method");
}

at::Tensor procrustes_query(const at::Tensor& query_pre, const at::Tensor& query_post,
                            const at::Tensor& key_pre, const SoftmaxLayer& layer, double lambda) {
  const auto heads = [&](const at::Tensor& weight, std::int64_t count) {
    return weight.to(at::kDouble).view({count, layer.head_dim, -1});  // [count, D, d]
  };
  const at::Tensor post = heads(query_post, layer.heads);
  const at::Tensor change = heads(query_pre, layer.heads) - post;
  const at::Tensor key = heads(key_pre, layer.kv_heads);
  const at::Tensor gram = at::matmul(key, key.transpose(1, 2));  // [H_kv, D, D]
  const at::Tensor ridge = gram + lambda * at::eye(layer.head_dim, gram.options());
  // G and (G + lambda I)^-1 commute, so the solve can come first.
  const at::Tensor filter = at::linalg_solve(ridge, gram)  // [H_kv, D, D]
                                .repeat_interleave(layer.heads / layer.kv_heads, 0);
  return (post + at::matmul(filter, change)).view(query_post.sizes()).to(query_post.scalar_type());
}

WeightMap restore(const WeightMap& pre, const WeightMap& post,
                  const std::vector<SoftmaxLayer>& layers, const RestoreOptions& options) {
  WeightMap restored = post;
  for (const SoftmaxLayer& layer : layers) {
    if (layer.window > 0 && !options.windows) continue;
    switch (options.method) {
      case RestoreMethod::kQk:
        take(pre, restored, layer.query);
        take(pre, restored, layer.key);
        break;
      case RestoreMethod::kQkPro:
        take(pre, restored, layer.key);
        restored[layer.query[0]] =
            procrustes_query(find(pre, layer.query[0]), find(post, layer.query[0]),
                             find(pre, layer.key[0]), layer, options.lambda);
        break;
      case RestoreMethod::kQ:
        take(pre, restored, layer.query);
        break;
      case RestoreMethod::kK:
        take(pre, restored, layer.key);
        break;
      case RestoreMethod::kV:
        take(pre, restored, layer.value);
        break;
    }
  }
  return restored;
}

}  // namespace niah::models
