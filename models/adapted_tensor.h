// The arithmetic of PEFT adapters: LoRA, DoRA, replaced tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/checkpoint/adapter.h"

namespace niah::models {

/// Applies `change` of `adapter` to `base`, a tensor as stored. Computes in fp32 (fp64 if `base` is
/// fp64) and rounds once, to the type of `base`. Throws DataError if the adapter contains a copy of
/// the base tensor that differs from `base`.
at::Tensor apply_change(const at::Tensor& base, const TensorChange& change, const Adapter& adapter);

}  // namespace niah::models
