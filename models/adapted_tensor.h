// The arithmetic of PEFT adapters: LoRA, DoRA, replaced tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/checkpoint/adapter.h"

namespace niah::models {

/// What `change` of `adapter` makes of `base`, a tensor as it is stored: in its element type,
/// computed in fp32, or fp64 where the base has that, and rounded once. Throws DataError where the
/// adapter brings a copy of its base's tensor that is not this one.
at::Tensor apply_change(const at::Tensor& base, const TensorChange& change, const Adapter& adapter);

}  // namespace niah::models
