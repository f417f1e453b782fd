// Kimi Linear (arXiv 2510.26692): Kimi Delta Attention layers and a few softmax layers with latent
// attention (MLA), followed by a mixture of experts.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a Kimi Linear model from its config.json and tensors. `label` names the config in errors.
/// Throws DataError for every config field that is unknown, ill-typed, or would change the result
/// in a way that is not implemented.
std::shared_ptr<CausalLM> make_kimi_linear(const nlohmann::json& config, const std::string& label,
                                           TensorSource& source);

}  // namespace niah::models
