// Granite 4 and Bamba: Mamba-2 layers and a few softmax layers, each followed by an MLP and, in
// some Granite models, a mixture of experts in parallel.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a Granite 4 model (model_type granitemoehybrid, with or without experts) or a Bamba model
/// from its config.json and tensors. `label` names the config in errors. Throws DataError for every
/// config field that is unknown, ill-typed, or would change the result in a way that is not
/// implemented.
std::shared_ptr<CausalLM> make_granite_hybrid(const nlohmann::json& config,
                                              const std::string& label, TensorSource& source);
std::shared_ptr<CausalLM> make_bamba(const nlohmann::json& config, const std::string& label,
                                     TensorSource& source);

}  // namespace niah::models
