// OLMo Hybrid: gated delta nets with a softmax layer among them.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds an OLMo Hybrid. Throws DataError for configs that cannot be honoured.
std::shared_ptr<CausalLM> make_olmo_hybrid(const nlohmann::json& config, const std::string& label,
                                           TensorSource& source);

}  // namespace niah::models
