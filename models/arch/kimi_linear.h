// Kimi Linear: Kimi Delta Attention with a latent softmax layer among them, and experts.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a Kimi Linear. Throws DataError for configs that cannot be honoured.
std::shared_ptr<CausalLM> make_kimi_linear(const nlohmann::json& config, const std::string& label,
                                           TensorSource& source);

}  // namespace niah::models
