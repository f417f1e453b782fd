// Jet-Nemotron (arXiv 2508.15884): JetBlocks (gated delta rule with a dynamic convolution) and a
// few full-attention and sliding-window layers.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a Jet-Nemotron model from its config.json and tensors. `label` names the config in
/// errors. Throws DataError for every config field that is unknown, ill-typed, or would change the
/// result in a way that is not implemented.
std::shared_ptr<CausalLM> make_jet_nemotron(const nlohmann::json& config, const std::string& label,
                                            TensorSource& source);

}  // namespace niah::models
