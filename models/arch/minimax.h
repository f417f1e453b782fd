// MiniMax-01 (arXiv 2501.08313): lightning layers and a few softmax layers, each followed by a
// mixture of experts.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a MiniMax model from its config.json and tensors. `label` names the config in errors.
/// Throws DataError for every config field that is unknown, ill-typed, or would change the result
/// in a way that is not implemented.
std::shared_ptr<CausalLM> make_minimax(const nlohmann::json& config, const std::string& label,
                                       TensorSource& source);

}  // namespace niah::models
