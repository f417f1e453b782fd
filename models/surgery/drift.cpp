#include "models/surgery/drift.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <numbers>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "harness/base/text.h"
#include "models/surgery/checkpoint_pair.h"
#include "models/surgery/restore.h"
#include "models/surgery/stored_tensor.h"

namespace niah::models {
namespace {

constexpr double kLeadingShare = 0.9;

/// The name of a part in TensorDrift::part.
const char* part_name(Part part) {
  switch (part) {
    case Part::kQuery:
      return "Q";
    case Part::kKey:
      return "K";
    case Part::kValue:
      return "V";
    case Part::kOutput:
      return "O";
    case Part::kGate:
      return "gate";
    case Part::kQueryNorm:
    case Part::kKeyNorm:
    case Part::kNorm:
      return "norm";
    case Part::kMlp:
      return "MLP";
    case Part::kExpert:
      return "experts";
    case Part::kEmbedding:
      return "embedding";
    case Part::kHead:
      return "head";
    case Part::kConvolution:
    case Part::kOther:
      return "other mixer";
  }
  return "";
}

/// A tensor's values (read_values), which must all be finite.
at::Tensor read_numbers(const OpenCheckpoint& from, const std::string& name) {
  at::Tensor values = read_values(from, name);
  if (at::isfinite(values).all().item<bool>()) return values;
  throw DataError(
      fmt::format("comparing checkpoints: tensor '{}' of {} holds numbers that are not finite, so "
                  "nothing can be said of it; did its training diverge, or is the file damaged?",
                  single_line(name), from.checkpoint->path().text()));
}

/// The singular value decomposition of R = W_Q^T W_K of every head: R = left diag(values) right^T,
/// with left and right [H, d, D] and values [H, D] in descending order.
struct Routing {
  at::Tensor left, values, right;
};

Routing routing_of(const OpenCheckpoint& side, const MixerInfo& mixer) {
  WeightMap weights;
  for (const Part part : {Part::kQuery, Part::kKey}) {
    const std::string name = mixer.of(part).front().rows.tensor;
    if (!weights.contains(name)) weights.emplace(name, read_numbers(side, name));
  }
  const auto directions = [&](const at::Tensor& heads) {
    return heads.to(at::kDouble)
        .transpose(1, 2)  // [count, d, D]
        .repeat_interleave(mixer.heads / heads.size(0), 0);
  };
  // With QR decompositions of W_Q^T and W_K^T, only a D x D matrix is left to decompose.
  const auto [q_basis, q_triangle] = at::linalg_qr(directions(query_heads(weights, mixer)));
  const auto [k_basis, k_triangle] = at::linalg_qr(directions(key_heads(weights, mixer)));
  const at::Tensor product = at::matmul(q_triangle, k_triangle.transpose(1, 2));
  if (!at::isfinite(product).all().item<bool>())
    throw DataError(fmt::format(
        "comparing checkpoints: the numbers of '{}' of {} are too large for W_Q^T W_K",
        single_line(mixer.of(Part::kQuery).front().rows.tensor), side.checkpoint->path().text()));
  const auto [u, s, vh] = at::linalg_svd(product, /*full_matrices=*/false);
  return {at::matmul(q_basis, u), s, at::matmul(k_basis, vh.transpose(1, 2))};
}

/// Mean and largest principal angle in degrees between the spans of two orthonormal bases [d, r].
std::pair<double, double> principal_angles(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor cosines = at::linalg_svdvals(at::matmul(a.t(), b)).clamp(0, 1);
  const at::Tensor angles = at::acos(cosines) * (180 / std::numbers::pi);
  return {angles.mean().item<double>(), angles.max().item<double>()};
}

/// |R_after - R_before|_F, computed from the two decompositions.
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

WeightDrift weight_drift(const CheckpointPath& pre, const CheckpointPath& post) {
  const auto [before, after] = open_pair(pre, post);
  const ModelInfo& info = before.meta->info();
  WeightDrift drift;
  const auto names_after = counterparts(info, after.meta->info());
  for (const auto& [name, parts] : parts_by_tensor(info)) {
    stop_if_interrupted();
    const auto name_after = names_after.find(name);
    if (name_after == names_after.end()) continue;  // another tensor layout: not comparable
    const at::Tensor old = read_numbers(before, name);
    const at::Tensor now = read_numbers(after, name_after->second);
    for (const PlacedPart& part : parts) {
      TensorDrift tensor{name, part.layer, part_name(part.rows.part), "", 0, 0};
      if (part.layer) tensor.mixer = info.mixers[static_cast<std::size_t>(*part.layer)].name;
      const at::Tensor old_rows = view_rows(old, part.rows.rows);
      tensor.norm = old_rows.norm().item<double>();
      tensor.change = (view_rows(now, part.rows.rows) - old_rows).norm().item<double>();
      drift.tensors.push_back(std::move(tensor));
    }
  }
  for (std::size_t i = 0; i < info.mixers.size(); ++i) {
    const MixerInfo& mixer = info.mixers[i];
    if (!mixer.attends || !mixer.has_plain_routing) continue;
    stop_if_interrupted();
    const Routing old = routing_of(before, mixer);
    const Routing now = routing_of(after, after.meta->info().mixers[i]);
    for (std::int64_t head = 0; head < mixer.heads; ++head)
      drift.routing.push_back(drift_of(old, now, static_cast<std::int64_t>(i), head));
  }
  return drift;
}

}  // namespace niah::models
