// The rotary embedding as a config.json asks for it: base, scaling, and how much of a head is
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

/// What an architecture accepts, and what it takes where a config says nothing.
struct RopeRules {
  std::int64_t head_dim = 0;
  std::int64_t max_positions = 0;  ///< original_max_position_embeddings where it is left out
  double theta = 10000;            ///< rope_theta where it is left out
  double partial = 1;              ///< partial_rotary_factor where it is left out
  bool may_be_partial = false;     ///< partial_rotary_factor may be something else than 1
  std::vector<std::string> types = {"default", "llama3", "yarn"};
  bool has_mscale = false;  ///< yarn's mscale, mscale_all_dim and truncate are honoured
  bool has_mrope = false;   ///< fields for images' positions may be there: text ignores them
};

struct Rope {
  double theta = 0;
  std::int64_t width = 0;  ///< R: the first so many numbers of a head are rotated
  std::optional<YarnScaling> yarn{};
  std::optional<Llama3Scaling> llama3{};
  double linear_factor = 1;  ///< positions are divided by it

  bool is_scaled() const { return yarn || llama3 || linear_factor > 1; }
  /// One line for ModelInfo::settings.
  std::string scaling() const;
};

/// The rotary embedding by the fields `rope_theta`, `partial_rotary_factor`, `rope_scaling` and
/// `rope_parameters` (since transformers 5 the others are in there). Throws DataError for two that
/// differ, and for whatever would change the result and is not implemented.
Rope read_rope(ConfigReader& reader, const std::string& label, const RopeRules& rules);
/// The same by an object that is complete in itself, for configs with one a layer type.
Rope read_rope(const nlohmann::json& object, const std::string& label, const RopeRules& rules);

/// The tables of a pass.
class RotaryEmbedding {
 public:
  RotaryEmbedding(const Rope& rope, at::Device device);
  /// cos and sin, [T, R/2], or [B, T, R/2] for sequences at different positions; yarn's factor is
  /// in them.
  std::pair<at::Tensor, at::Tensor> tables(const std::vector<std::int64_t>& positions,
                                           std::int64_t tokens) const;

 private:
  at::Tensor frequencies_;  // [R/2] fp32
  double factor_;
};

}  // namespace niah::models
