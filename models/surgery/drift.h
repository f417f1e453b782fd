// How a fine-tune changed the weights: how far each tensor moved, and how far the routing
// R = W_Q^T W_K of each softmax head turned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint_path.h"

namespace niah::models {

/// The change of one tensor, or of those of its rows that form one part of the model.
struct TensorDrift {
  std::string name;
  std::optional<std::int64_t> layer;  ///< nullopt: embedding, final norm, output head
  /// "Q", "K", "V", "O", "gate", "norm", "other mixer", "MLP", "embedding", "head".
  std::string part;
  std::string mixer;  ///< of its layer: "softmax", "lightning", ...; empty outside the layers
  double change = 0;  ///< |after - before|_F
  double norm = 0;    ///< |before|_F
};

/// The change of R = W_Q^T W_K [d, d] of one softmax head; R itself is never materialised.
struct RoutingDrift {
  std::int64_t layer = 0, head = 0;
  double relative_change = 0;  ///< |R_after - R_before|_F / |R_before|_F
  /// Number of leading singular directions that hold 90 % of the squared norm of R_before.
  std::int64_t rank = 0;
  /// Mean and largest principal angle in degrees between the subspaces of the `rank` leading
  /// singular directions before and after: left (query side) and right (key side).
  double query_angle = 0, query_angle_max = 0;
  double key_angle = 0, key_angle_max = 0;
};

/// The change of all weights.
struct WeightDrift {
  std::vector<TensorDrift> tensors;   ///< in name order; one entry per part of a tensor
  std::vector<RoutingDrift> routing;  ///< layer by layer, head by head
};

/// Compares two checkpoints of one model tensor by tensor, adapters applied. Needs memory for the
/// largest tensor of each in fp32. Throws DataError, listing the differences, if they are not
/// checkpoints of one model, and for values that are not finite.
WeightDrift weight_drift(const CheckpointPath& pre, const CheckpointPath& post);

}  // namespace niah::models
