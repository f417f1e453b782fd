// HypeNet (arXiv 2601.22156): lightning (fixed-decay linear attention) layers and a few softmax
// layers without positions (NoPE).
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a HypeNet model from its config.json and tensors. `label` names the config in errors.
/// Throws DataError for every config field that is unknown, ill-typed, or would change the result
/// in a way that is not implemented.
std::shared_ptr<CausalLM> make_hypenet(const nlohmann::json& config, const std::string& label,
                                       TensorSource& source);

}  // namespace niah::models
