// A checkpoint's tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"
#include "models/tensor_source.h"

namespace niah::models {

/// One tensor of a checkpoint in its stored element type: a view of the memory-mapped file or, if
/// an adapter changes the tensor, a new one. W + s B A is computed in fp32 (fp64 if W is stored so)
/// and rounded once, to the type of W; a tensor that the adapter replaces is converted to that type
/// as well. So base and adapter together equal, bit for bit, the merged checkpoint that `restore`
/// writes, whatever type the model is then computed in. Throws DataError for element types that are
/// not floating point.
at::Tensor read_tensor(const std::shared_ptr<const Checkpoint>& checkpoint,
                       const std::string& name);
/// The same without the adapter's change.
at::Tensor read_base_tensor(const std::shared_ptr<const Checkpoint>& checkpoint,
                            const std::string& name);

/// All tensors of a checkpoint in `dtype`: views of the mapped file where the type is the same,
/// copies where it must be converted or an adapter changes it. The tensors keep the mapping alive.
/// Throws what read_tensor throws.
WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype);
/// The same for the tensors `names` only, all of which must exist.
WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype,
                       const std::vector<std::string>& names);

/// The torch type that corresponds to a safetensors element type.
at::ScalarType scalar_type(DType dtype);

/// Writes the tensors as one safetensors file, in name order.
void save_weights(const std::filesystem::path& path, const WeightMap& weights,
                  const std::map<std::string, std::string>& metadata);

/// SHA-256, in hex, of the names, types, shapes and data of tensors as they are in memory.
std::string hash_weights(const WeightMap& weights);

/// A view of one safetensors tensor's `bytes`. `owner` keeps them alive; if it is null, the caller
/// must.
at::Tensor view_tensor(const TensorInfo& info, std::span<const std::byte> bytes,
                       std::shared_ptr<const void> owner);

}  // namespace niah::models
