// From the model_type in config.json to a model.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/causal_lm.h"
#include "models/checkpoint/checkpoint.h"

namespace niah::models {

/// Builds a model from its config with the parameters of `source`; `label` names the config in
/// errors. Throws DataError for a config that it does not support.
using MakeArchitecture = std::function<std::shared_ptr<CausalLM>(
    const nlohmann::json& config, const std::string& label, TensorSource& source)>;

/// Adds an architecture under its model_type, for tests and for programs that bring their own; the
/// built-in ones are listed in registry.cpp. `tested_against`: see tested_against(). Not
/// thread-safe.
void register_architecture(const std::string& model_type, MakeArchitecture make,
                           std::string tested_against = "");

/// The model_type of every architecture that can be built.
std::vector<std::string> known_architectures();

/// What the results of an architecture were compared with; empty if with nothing.
std::string tested_against(const std::string& model_type);

/// Builds the architecture that `config` names by model_type. `label` names the config in errors.
/// Throws DataError for an unknown model_type (listing the known ones) and for a config that the
/// architecture does not support.
std::shared_ptr<CausalLM> make_model(const nlohmann::json& config, const std::string& label,
                                     TensorSource& source);

/// A model with exactly these tensors, in evaluation mode and without gradients. Throws DataError
/// listing missing, unexpected and mis-shaped tensors.
std::shared_ptr<CausalLM> build_model(const nlohmann::json& config, const std::string& label,
                                      const WeightMap& weights);

/// Checks the names, shapes and types of a checkpoint's tensors against `config`, reading only the
/// files' headers. Throws DataError listing everything that does not fit. Returns the model without
/// data (meta tensors), for what can be known before loading.
std::shared_ptr<CausalLM> check_tensors(const Checkpoint& checkpoint, const nlohmann::json& config);

/// Throws DataError, listing the differences, unless both models would compute the same with the
/// same tensors. Spelling, omitted defaults and fields that do not affect the computation
/// (eos_token_id, use_cache, ...) may differ. So may tie_word_embeddings, because a fine-tune may
/// train embedding and output head apart.
void require_same_model(const std::string& first_name, const ModelInfo& first,
                        const std::string& other_name, const ModelInfo& other);

/// `config` with the fields of `override` (an object, or null) replacing its own.
nlohmann::json override_config(nlohmann::json config, const nlohmann::json& override);

}  // namespace niah::models
