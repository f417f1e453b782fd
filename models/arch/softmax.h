// Dense models whose mixers are all softmax attention: Qwen3, Qwen2/2.5, Llama, Mistral, SmolLM3,
// Granite, OLMo 2 and OLMo 3.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a model of one of these families from its config.json and tensors; `family` is its
/// model_type: qwen2 (also Qwen2.5), qwen3, llama, mistral, smollm3, granite, olmo2 or olmo3.
/// `label` names the config in errors. Throws DataError for every config field that is unknown,
/// ill-typed, or would change the result in a way that is not implemented.
std::shared_ptr<CausalLM> make_softmax(const std::string& family, const nlohmann::json& config,
                                       const std::string& label, TensorSource& source);

}  // namespace niah::models
