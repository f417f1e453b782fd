// Qwen3 and Qwen2/2.5, dense: the pure-softmax boundary case.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a Qwen3 or Qwen2 (Qwen2.5 is one) from its config.json and its tensors. `label` names the
/// config in errors. Throws DataError for every config field that is unknown, ill-typed, or would
/// change the result in a way that is not implemented.
std::shared_ptr<CausalLM> make_qwen3(const nlohmann::json& config, const std::string& label,
                                     TensorSource& source);
std::shared_ptr<CausalLM> make_qwen2(const nlohmann::json& config, const std::string& label,
                                     TensorSource& source);

}  // namespace niah::models
