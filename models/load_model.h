// From a checkpoint on disk to a model that computes.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "models/causal_lm.h"
#include "models/weights.h"

namespace niah::models {

/// Opens a checkpoint, checks it and builds its model in `dtype` on `device`.
std::shared_ptr<CausalLM> load_model(const CheckpointPath& path, at::ScalarType dtype,
                                     const nlohmann::json& override = nullptr,
                                     at::Device device = at::kCPU);

/// The tensors of a checkpoint that `model` (from check_tensors) uses, in `dtype`; others, such as
/// those of a vision tower, are not read. Includes a stored output head that is tied to the
/// embedding.
WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype,
                       const CausalLM& model);

/// Drops a stored output head that is tied to the embedding and equals it; throws DataError if the
/// two differ.
void resolve_tied_head(const ModelInfo& info, const std::string& label, WeightMap& weights);

}  // namespace niah::models
