// LFM2: short convolutions with a softmax layer among them.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds an LFM2, dense or with a mixture of experts. Throws DataError for configs that cannot be
/// honoured.
std::shared_ptr<CausalLM> make_lfm2(const nlohmann::json& config, const std::string& label,
                                    TensorSource& source);
std::shared_ptr<CausalLM> make_lfm2_moe(const nlohmann::json& config, const std::string& label,
                                        TensorSource& source);

}  // namespace niah::models
