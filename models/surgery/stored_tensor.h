// Tensors of a checkpoint as libtorch computes with them.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "models/surgery/checkpoint_pair.h"

namespace niah::models {

/// A tensor's values in fp32 or fp64, and the hash of its bytes as stored.
struct StoredTensor {
  at::Tensor values;
  std::string sha256;
};
/// Reads a tensor with the adapter's change (read_tensor), and releases the file's pages.
StoredTensor read_stored(const OpenCheckpoint& from, const std::string& name);

/// The Frobenius norm |a|_F.
double norm_of(const at::Tensor& a);

/// A copy of a tensor (read_tensor) in fp64 if it is stored so, else in fp32; exact in both cases.
/// The file's pages are released afterwards.
at::Tensor read_values(const OpenCheckpoint& from, const std::string& name);

}  // namespace niah::models
