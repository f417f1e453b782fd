// A folder that is a whole checkpoint and an adapter at once.
#pragma once

#include <string>

#include "models/checkpoint/checkpoint_path.h"

namespace niah::models {

/// What to say of a PEFT adapter that lies in a checkpoint's folder and is left out, since `path`
/// names none; empty where there is none. transformers would load that adapter on the base that its
/// config names, and not the folder's own weights.
std::string adapter_beside(const CheckpointPath& path);

}  // namespace niah::models
