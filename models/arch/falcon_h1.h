// Falcon-H1 (arXiv 2507.22448): every layer has a Mamba-2 mixer and softmax attention in parallel.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a Falcon-H1 model from its config.json and tensors. `label` names the config in errors.
/// Throws DataError for every config field that is unknown, ill-typed, or would change the result
/// in a way that is not implemented.
std::shared_ptr<CausalLM> make_falcon_h1(const nlohmann::json& config, const std::string& label,
                                         TensorSource& source);

}  // namespace niah::models
