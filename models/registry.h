// Which architecture a config.json asks for.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

/// Builds a model from its config, taking parameters from the source; `label` names the config in
/// errors. Throws DataError for a config that it cannot honour.
using MakeArchitecture = std::function<std::shared_ptr<CausalLM>(
    const nlohmann::json& config, const std::string& label, TensorSource& source)>;

/// Adds an architecture by its model_type, for tests and programs with one of their own: those that
/// come with this program are in registry.cpp. `tested_against`: see there. Not while other threads
/// open models.
void register_architecture(const std::string& model_type, MakeArchitecture make,
                           std::string tested_against = "");

/// The architectures that can be built, by model_type.
std::vector<std::string> known_architectures();

/// What the results of an architecture were compared with; empty for nothing.
std::string tested_against(const std::string& model_type);

/// Builds the architecture that `config` names by model_type. `label` names the config in errors.
/// Throws DataError for an unknown model_type (lists the known ones) or anything the architecture
/// refuses.
std::shared_ptr<CausalLM> make_model(const nlohmann::json& config, const std::string& label,
                                     TensorSource& source);

/// A model with exactly these tensors, in evaluation mode and without gradients. Throws DataError
/// listing missing, unexpected and mis-shaped tensors.
std::shared_ptr<CausalLM> build_model(const nlohmann::json& config, const std::string& label,
                                      const WeightMap& weights);

/// Checks names, shapes and types of a checkpoint's tensors against `config` by the files' headers
/// alone: no tensor data is read. Throws DataError listing everything that does not fit. Returns
/// the model without data (meta tensors), for what can be known beforehand.
std::shared_ptr<CausalLM> check_tensors(const Checkpoint& checkpoint, const nlohmann::json& config);

/// Throws DataError, listing what differs, unless the two compute the same with the same tensors.
/// How a config spells it, what it leaves to defaults, and fields that change nothing that is
/// computed (ids that end a text, use_cache, ...) may differ. So may whether the embedding serves
/// as the output head: a fine-tune may train the two apart.
void require_same_model(const std::string& first_name, const ModelInfo& first,
                        const std::string& other_name, const ModelInfo& other);

/// `config` with the fields of `override` (an object, or null) put in place of its own.
nlohmann::json override_config(nlohmann::json config, const nlohmann::json& override);

/// Opens a checkpoint, checks it and builds its model in `dtype` on `device`.
std::shared_ptr<CausalLM> load_model(const CheckpointPath& path, at::ScalarType dtype,
                                     const nlohmann::json& override = nullptr,
                                     at::Device device = at::kCPU);

/// The tensors of a checkpoint that `model` (check_tensors) has, in `dtype`: what lies beside them,
/// such as a vision tower, is not read. With the output projection of a model whose embedding
/// serves as one, where it is there.
WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype,
                       const CausalLM& model);

/// Drops the output projection of a model whose embedding serves as one, where both are equal;
/// throws DataError where they differ.
void resolve_tied_head(const ModelInfo& info, const std::string& label, WeightMap& weights);

}  // namespace niah::models
