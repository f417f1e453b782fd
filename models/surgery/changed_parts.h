// Which parts of the weights a fine-tune changed, as restorations to compare.
#pragma once

#include <set>
#include <vector>

#include "models/checkpoint/checkpoint_path.h"
#include "models/surgery/restore_options.h"

namespace niah::models {

/// Restorations of the pair that tell its parts apart: W_Q and W_K together, each part alone, and
/// everything but each of these. No two of them give the same weights, and none gives those of the
/// checkpoint before or after, so parts that the fine-tune left as they were are not among them.
/// Reads every tensor of both checkpoints. Throws DataError, listing the differences, if they are
/// not checkpoints of one model.
std::vector<RestoreOptions> distinct_restorations(const CheckpointPath& pre,
                                                  const CheckpointPath& post);

/// The same with `parts` in one layer each. Throws UsageError if the model lacks one of the parts.
std::vector<RestoreOptions> restorations_by_layer(const CheckpointPath& pre,
                                                  const CheckpointPath& post,
                                                  const std::set<WeightPart>& parts);

}  // namespace niah::models
