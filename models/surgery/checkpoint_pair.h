// Two checkpoints of one model: before and after a fine-tune.
#pragma once

#include <memory>
#include <string>

#include "models/causal_lm.h"
#include "models/checkpoint/checkpoint.h"

namespace niah::models {

/// A checkpoint with what its config says of it (a model without data).
struct OpenCheckpoint {
  std::shared_ptr<Checkpoint> checkpoint;
  std::shared_ptr<CausalLM> meta;
};

struct CheckpointPair {
  OpenCheckpoint pre, post;
};

/// Opens both and checks that they are of one model and one tokenizer, by what is computed: how
/// their files spell it does not count. Throws DataError with the differences.
CheckpointPair open_pair(const CheckpointPath& pre, const CheckpointPath& post);

/// A tensor's values (read_tensor), in fp64 where the file has that, else in fp32: exact in either
/// case. The file's pages are given back to the system afterwards.
at::Tensor read_values(const OpenCheckpoint& from, const std::string& name);

}  // namespace niah::models
