// What a fine-tune did to the weights: how far each moved, and how far the routing turned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint_path.h"

namespace niah::models {

/// One tensor before and after, or the rows of it that are one part of the model.
struct TensorDrift {
  std::string name;
  std::optional<std::int64_t> layer;  ///< nullopt: embedding, final norm, output head
  /// "Q", "K", "V", "O", "gate", "norm", "other mixer", "MLP", "embedding", "head".
  std::string part;
  std::string mixer;  ///< of its layer: "softmax", "lightning", ...; empty outside of the layers
  double change = 0;  ///< |after - before|_F
  double norm = 0;    ///< |before|_F
};

/// One head of a softmax layer: R = W_Q^T W_K [d, d], never formed.
struct RoutingDrift {
  std::int64_t layer = 0, head = 0;
  double relative_change = 0;  ///< |R_after - R_before|_F / |R_before|_F
  /// Directions that hold 90 % of R_before's squared norm.
  std::int64_t rank = 0;
  /// Principal angles in degrees between the `rank` leading left (query side) and right (key side)
  /// singular directions of R before and after: the mean and the largest.
  double query_angle = 0, query_angle_max = 0;
  double key_angle = 0, key_angle_max = 0;
};

struct WeightDrift {
  std::vector<TensorDrift> tensors;   ///< in name order; several where a tensor has several parts
  std::vector<RoutingDrift> routing;  ///< layer by layer, head by head
};

/// Compares two checkpoints of one model, tensor by tensor, with what adapters make of them;
/// memory: the largest tensor of both in fp32. Throws DataError when they are not of one model
/// (with the differences).
WeightDrift weight_drift(const CheckpointPath& pre, const CheckpointPath& post);

}  // namespace niah::models
