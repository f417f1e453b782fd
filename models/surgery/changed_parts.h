// Which parts of the weights a fine-tune changed, as restorations to compare.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "models/checkpoint/checkpoint_path.h"
#include "models/surgery/restore_options.h"

namespace niah::models {

/// Restorations that tell the parts of a pair apart. Each list has those alone whose weights differ
/// from the checkpoints before and after, from each other, and from all that were listed or known
/// before, so parts that the fine-tune left as they were are in none.
class ChangedParts {
 public:
  /// Reads every tensor of both checkpoints. Throws DataError, listing the differences, if they are
  /// not checkpoints of one model.
  ChangedParts(const CheckpointPath& pre, const CheckpointPath& post);
  ~ChangedParts();

  /// Leaves out restorations with the same weights as this one from now on. Does nothing for
  /// methods that put no part back as it was.
  void know(const RestoreOptions& options);
  /// W_Q and W_K together, and each part alone.
  std::vector<RestoreOptions> alone();
  /// Everything but each of these.
  std::vector<RestoreOptions> all_but();
  /// `parts`, and the same in one layer each. Throws UsageError if the model lacks one of them.
  std::vector<RestoreOptions> by_layer(const std::set<WeightPart>& parts);
  /// The parts of `chosen`, which restores some in all layers, with one part more, or with W_Q and
  /// W_K together.
  std::vector<RestoreOptions> one_more(const RestoreOptions& chosen);

 private:
  class Distinct;
  std::unique_ptr<Distinct> distinct_;
};

}  // namespace niah::models
