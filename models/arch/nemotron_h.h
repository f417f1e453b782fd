// Nemotron-H (arXiv 2504.03624): each layer is either Mamba-2, softmax attention without positions,
// an MLP, or a mixture of experts.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a Nemotron-H model from its config.json and tensors. `label` names the config in errors.
/// Throws DataError for every config field that is unknown, ill-typed, or would change the result
/// in a way that is not implemented.
std::shared_ptr<CausalLM> make_nemotron_h(const nlohmann::json& config, const std::string& label,
                                          TensorSource& source);

}  // namespace niah::models
