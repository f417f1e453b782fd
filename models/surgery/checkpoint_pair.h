// Two checkpoints of one model: before and after a fine-tune.
#pragma once

#include <map>
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

/// Maps tensor names of the checkpoint after the fine-tune to those of the one before it.
class NamesBefore {
 public:
  explicit NamesBefore(const CheckpointPair& pair);
  /// Throws DataError if the checkpoint before has no such tensor.
  const std::string& operator()(const std::string& name) const;

 private:
  std::map<std::string, std::string> names_;
  std::string pre_;
};

}  // namespace niah::models
