// LFM2 (arXiv 2511.23404): short-convolution layers and a few softmax layers.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds an LFM2 model, dense or with a mixture of experts, from its config.json and tensors.
/// `label` names the config in errors. Throws DataError for every config field that is unknown,
/// ill-typed, or would change the result in a way that is not implemented.
std::shared_ptr<CausalLM> make_lfm2(const nlohmann::json& config, const std::string& label,
                                    TensorSource& source);
std::shared_ptr<CausalLM> make_lfm2_moe(const nlohmann::json& config, const std::string& label,
                                        TensorSource& source);

}  // namespace niah::models
