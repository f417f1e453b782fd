// Which layers, tensors and rows a restoration writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/causal_lm.h"
#include "models/surgery/restore_options.h"

namespace niah::models {

/// Whether the method computes weights that are in neither checkpoint (QK-Pro).
bool makes_new_weights(RestoreMethod method);

/// The rows of W_Q or W_K of a mixer, which belong to a single tensor in mixers with
/// has_plain_routing.
PartRows weight_of(const MixerInfo& mixer, Part part);

/// The indices of the layers to restore, in ascending order: softmax layers and, with `linear`, all
/// others that have a query, key or value projection. Throws UsageError if an index in the options
/// is not such a layer, if no layer is left, and if the method does not apply to a layer.
std::vector<std::int64_t> choose_layers(const ModelInfo& info, const RestoreOptions& options,
                                        bool linear = false);

/// The rows of a mixer that a method writes.
std::vector<PartRows> restored_rows(const MixerInfo& mixer, RestoreMethod method);

/// What is restored in addition to the projections of the softmax layers.
struct RestoreCheckpointOptions {
  RestoreOptions restore;
  bool linear = false;  ///< the projections of linear layers (not with qk-pro)
  bool biases = true;   ///< the biases of the projections
  bool norms = false;   ///< q_norm and k_norm, if the model has them (not with v)
  bool gates = false;   ///< the output gates, if the model has them
};

/// The rows of a layer that a restoration with these options writes.
std::vector<PartRows> changed_rows(const MixerInfo& mixer, const RestoreCheckpointOptions& options);

/// The rows of one tensor that are restored.
struct ChangedTensor {
  std::string name;
  std::vector<PartRows> rows;
};

/// All rows of the model that a restoration with these options writes, layer by layer. Throws what
/// choose_layers and rows_of_parts throw.
std::vector<ChangedTensor> changed_tensors(const ModelInfo& info,
                                           const RestoreCheckpointOptions& options);

/// The layers that the tensors belong to, in ascending order.
std::vector<std::int64_t> layers_of(const ModelInfo& info,
                                    const std::vector<ChangedTensor>& tensors);

/// The names of the tensors that `rows` belong to, each once.
std::vector<std::string> tensors_of(const std::vector<PartRows>& rows);

}  // namespace niah::models
