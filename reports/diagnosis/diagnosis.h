// What a fine-tune changed inside the model: weights, routing, and where heads attend.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace niah::reports {

/// One tensor before and after the fine-tune.
struct TensorChange {
  std::string name;
  std::optional<std::int64_t> layer;  ///< nullopt: outside the layers
  std::string part;                   ///< "Q", "K", "V", "O", "gate", "norm", "MLP", ...
  std::string mixer;                  ///< the layer's mixer: "softmax", "lightning", ...
  double change = 0;                  ///< |after - before|_F
  double norm = 0;                    ///< |before|_F
};

/// How the routing R = W_Q^T W_K of one softmax head turned; angles in degrees.
struct RoutingChange {
  std::int64_t layer = 0, head = 0;
  double relative_change = 0;
  std::int64_t rank = 0;  ///< number of directions compared: those with 90 % of R's squared norm
  double query_angle = 0, query_angle_max = 0, key_angle = 0, key_angle_max = 0;
};

/// What one softmax head of one variant attends to from the end of a prompt; means over the
/// prompts.
struct HeadLook {
  std::string variant;
  std::int64_t layer = 0, head = 0;
  double distance = 0;     ///< tokens
  double needle_mass = 0;  ///< share of the final position's attention on the needle
};

/// Everything that `niah diagnose` found.
struct Diagnosis {
  std::string pre, post;  ///< names of the checkpoints
  std::vector<TensorChange> tensors;
  std::vector<RoutingChange> routing;
  std::vector<std::string> variants;  ///< in the order to show; the first is the reference
  std::vector<HeadLook> heads;        ///< the same heads for every variant, in layer and head order
  std::string prompts;                ///< "4 samples of S2 at 8K"; empty: none were read
  double chance = 0;                  ///< the needle's share of the prompt's tokens
  double length = 0;                  ///< mean tokens of a prompt
};

/// A head is a retrieval head if, in the reference, the final position puts at least this share of
/// its attention on the needle.
inline constexpr double kRetrievalMass = 0.1;

}  // namespace niah::reports
