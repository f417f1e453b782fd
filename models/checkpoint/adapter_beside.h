// A folder that holds both a whole checkpoint and an adapter.
#pragma once

#include <string>

#include "models/checkpoint/checkpoint_path.h"

namespace niah::models {

/// A warning if the folder of a checkpoint also holds a PEFT adapter that is ignored because `path`
/// names no adapter; else empty. From such a folder transformers would load the adapter on the base
/// that its config names, not the folder's own weights.
std::string adapter_beside(const CheckpointPath& path);

}  // namespace niah::models
