#include "models/surgery/drift.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <numbers>

#include "harness/base/interrupt.h"
#include "models/surgery/checkpoint_pair.h"

namespace niah::models {
namespace {

constexpr double kLeadingShare = 0.9;

/// What a tensor is, by its name: parts of the mixers are called alike in all architectures.
std::string part_of(const std::string& name) {
  const auto has = [&](const char* piece) { return name.find(piece) != std::string::npos; };
  if (has("embed_tokens")) return "embedding";
  if (has("lm_head")) return "head";
  if (has(".mlp.")) return "MLP";
  if (has("norm")) return "norm";
  constexpr std::array<std::pair<const char*, const char*>, 7> kParts = {{{".q_proj.", "Q"},
                                                                          {".k_proj.", "K"},
                                                                          {".v_proj.", "V"},
                                                                          {".o_proj.", "O"},
                                                                          {".o_gate.", "gate"},
                                                                          {".z_proj.", "gate"},
                                                                          {".g_proj.", "gate"}}};
  for (const auto& [piece, part] : kParts)
    if (has(piece)) return part;
  return "other mixer";
}

/// R = W_Q^T W_K of every head by its singular value decomposition: R = left diag(values) right^T,
/// left and right [H, d, D], values [H, D], descending.
struct Routing {
  at::Tensor left, values, right;
};

Routing routing_of(const OpenCheckpoint& side, const SoftmaxLayer& layer) {
  const auto heads = [&](const std::string& name, std::int64_t count) {
    return read_values(side, name)
        .to(at::kDouble)
        .view({count, layer.head_dim, -1})
        .transpose(1, 2)  // [count, d, D]
        .repeat_interleave(layer.heads / count, 0);
  };
  // With W^T = basis * triangle on both sides, only a D x D matrix is left to decompose.
  const auto [q_basis, q_triangle] = at::linalg_qr(heads(layer.query[0], layer.heads));
  const auto [k_basis, k_triangle] = at::linalg_qr(heads(layer.key[0], layer.kv_heads));
  const auto [u, s, vh] =
      at::linalg_svd(at::matmul(q_triangle, k_triangle.transpose(1, 2)), /*full_matrices=*/false);
  return {at::matmul(q_basis, u), s, at::matmul(k_basis, vh.transpose(1, 2))};
}

/// Mean and largest principal angle in degrees between the spans of two orthonormal bases [d, r].
std::pair<double, double> principal_angles(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor cosines = at::linalg_svdvals(at::matmul(a.t(), b)).clamp(0, 1);
  const at::Tensor angles = at::acos(cosines) * (180 / std::numbers::pi);
  return {angles.mean().item<double>(), angles.max().item<double>()};
}

/// |R_after - R_before|_F from both decompositions.
double distance(const Routing& before, const Routing& after, std::int64_t head) {
  const at::Tensor a = before.values[head], b = after.values[head];
  const at::Tensor cross = at::matmul(before.left[head].t(), after.left[head]) *
                           at::matmul(before.right[head].t(), after.right[head]);
  const double shared = at::matmul(a, at::matmul(cross, b)).item<double>();
  const double squares = (a.square().sum() + b.square().sum()).item<double>();
  return std::sqrt(std::max(0.0, squares - 2 * shared));
}

RoutingDrift drift_of(const Routing& before, const Routing& after, std::int64_t layer,
                      std::int64_t head) {
  RoutingDrift drift;
  drift.layer = layer;
  drift.head = head;
  const at::Tensor energy = before.values[head].square();
  const double total = energy.sum().item<double>();
  drift.relative_change = total > 0 ? distance(before, after, head) / std::sqrt(total) : 0;
  drift.rank = 1 + at::cumsum(energy, 0).lt(kLeadingShare * total).sum().item<std::int64_t>();
  drift.rank = std::min(drift.rank, energy.size(0));
  const auto leading = [&](const at::Tensor& directions) {
    return directions[head].narrow(1, 0, drift.rank);
  };
  std::tie(drift.query_angle, drift.query_angle_max) =
      principal_angles(leading(before.left), leading(after.left));
  std::tie(drift.key_angle, drift.key_angle_max) =
      principal_angles(leading(before.right), leading(after.right));
  return drift;
}

}  // namespace

WeightDrift weight_drift(const std::filesystem::path& pre, const std::filesystem::path& post) {
  const auto [before, after] = open_pair(pre, post);
  WeightDrift drift;
  for (const auto& item : before.meta->named_parameters()) {
    stop_if_interrupted();
    const std::string& name = item.key();
    // A tied head is written or left out as a checkpoint likes.
    if (before.checkpoint->find(name) == nullptr || after.checkpoint->find(name) == nullptr)
      continue;
    TensorDrift tensor{name, layer_of(name), part_of(name), "", 0, 0};
    if (tensor.layer)
      tensor.mixer =
          layer_kind_name(before.meta->info().layers.at(static_cast<std::size_t>(*tensor.layer)));
    const at::Tensor old = read_values(before, name);
    tensor.norm = old.norm().item<double>();
    tensor.change = (read_values(after, name) - old).norm().item<double>();
    drift.tensors.push_back(std::move(tensor));
  }
  std::sort(drift.tensors.begin(), drift.tensors.end(),
            [](const TensorDrift& a, const TensorDrift& b) { return a.name < b.name; });
  for (const SoftmaxLayer& layer : before.meta->softmax_layers()) {
    stop_if_interrupted();
    const Routing old = routing_of(before, layer), now = routing_of(after, layer);
    for (std::int64_t head = 0; head < layer.heads; ++head)
      drift.routing.push_back(drift_of(old, now, layer.index, head));
  }
  return drift;
}

}  // namespace niah::models
