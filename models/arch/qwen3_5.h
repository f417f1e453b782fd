// Qwen3.5 and Qwen3-Next: Gated DeltaNet layers and a few softmax layers with an output gate.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a Qwen3.5 model (dense or with a mixture of experts) or a Qwen3-Next model from its
/// config.json and tensors. The config may be flat or have a text_config next to a vision tower,
/// which is ignored. `label` names the config in errors. Throws DataError for every config field
/// that is unknown, ill-typed, or would change the result in a way that is not implemented.
std::shared_ptr<CausalLM> make_qwen3_5(const nlohmann::json& config, const std::string& label,
                                       TensorSource& source);
std::shared_ptr<CausalLM> make_qwen3_5_moe(const nlohmann::json& config, const std::string& label,
                                           TensorSource& source);
std::shared_ptr<CausalLM> make_qwen3_next(const nlohmann::json& config, const std::string& label,
                                          TensorSource& source);

}  // namespace niah::models
