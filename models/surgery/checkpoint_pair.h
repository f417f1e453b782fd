// Two checkpoints of one model: before and after a fine-tune.
#pragma once

#include <memory>
#include <string>

#include "models/causal_lm.h"
#include "models/checkpoint/checkpoint.h"

namespace niah::models {

/// An open checkpoint and its model without data.
struct OpenCheckpoint {
  std::shared_ptr<Checkpoint> checkpoint;
  std::shared_ptr<CausalLM> meta;  ///< meta tensors, from check_tensors
};

/// The checkpoints before and after a fine-tune.
struct CheckpointPair {
  OpenCheckpoint pre, post;
};

/// Opens both checkpoints and checks that they have the same model and the same tokenizer, judged
/// by what they compute, not by how their files spell it. Throws DataError listing the differences.
CheckpointPair open_pair(const CheckpointPath& pre, const CheckpointPath& post);

/// A copy of a tensor (read_tensor) in fp64 if it is stored so, else in fp32; exact in both cases.
/// The file's pages are released afterwards.
at::Tensor read_values(const OpenCheckpoint& from, const std::string& name);

}  // namespace niah::models
