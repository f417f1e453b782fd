// The rotary embedding that a config.json specifies: base, scaling, and how much of a head is
// rotated.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/checkpoint/config_reader.h"
#include "models/ops/rotary.h"

namespace niah::models {

/// What an architecture accepts, and its defaults.
struct RopeRules {
  std::int64_t head_dim = 0;
  std::int64_t max_positions = 0;  ///< default of original_max_position_embeddings
  double theta = 10000;            ///< default of rope_theta
  double partial = 1;              ///< default of partial_rotary_factor
  bool may_be_partial = false;     ///< whether partial_rotary_factor may differ from 1
  std::vector<std::string> types = {"default", "llama3", "yarn"};
  bool has_mscale = false;  ///< whether yarn's mscale, mscale_all_dim and truncate are supported
  bool has_mrope = false;   ///< whether fields for image positions are accepted; text ignores them
};

/// A rotary embedding.
struct Rope {
  double theta = 0;
  std::int64_t width = 0;  ///< R: the first R dimensions of a head are rotated
  std::optional<YarnScaling> yarn{};
  std::optional<Llama3Scaling> llama3{};
  double linear_factor = 1;  ///< positions are divided by it

  bool is_scaled() const { return yarn || llama3 || linear_factor > 1; }
  /// One line for ModelInfo::settings.
  std::string scaling() const;
};

/// Reads `rope_theta`, `partial_rotary_factor`, `rope_scaling` and `rope_parameters` (which
/// contains the others since transformers 5). Throws DataError for values that contradict each
/// other, and for anything that would change the result and is not implemented.
Rope read_rope(ConfigReader& reader, const std::string& label, const RopeRules& rules);
/// The same from a self-contained object, for configs with one object per layer type.
Rope read_rope(const nlohmann::json& object, const std::string& label, const RopeRules& rules);

/// Computes the rotary tables of a pass.
class RotaryEmbedding {
 public:
  RotaryEmbedding(const Rope& rope, at::Device device);
  /// cos and sin [T, R/2], or [B, T, R/2] for sequences at different positions, including YaRN's
  /// attention factor.
  std::pair<at::Tensor, at::Tensor> tables(const std::vector<std::int64_t>& positions,
                                           std::int64_t tokens) const;

 private:
  at::Tensor frequencies_;  // [R/2] fp32
  double factor_;
};

}  // namespace niah::models
