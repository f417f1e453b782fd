// Qwen3.5 and its relatives: gated delta nets with a gated softmax layer among them.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a Qwen3.5, a text model (config flat) or a vision-language one (text_config; the vision
/// tower is left out), dense or a mixture of experts, or a Qwen3-Next. Throws DataError for configs
/// that cannot be honoured.
std::shared_ptr<CausalLM> make_qwen3_5(const nlohmann::json& config, const std::string& label,
                                       TensorSource& source);
std::shared_ptr<CausalLM> make_qwen3_5_moe(const nlohmann::json& config, const std::string& label,
                                           TensorSource& source);
std::shared_ptr<CausalLM> make_qwen3_next(const nlohmann::json& config, const std::string& label,
                                          TensorSource& source);

}  // namespace niah::models
