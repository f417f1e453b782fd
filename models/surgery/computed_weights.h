// Restored weights that have to be computed, with libtorch: QK-Pro, what lies between fine-tune and
// restoration, and adapters merged into their base.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/surgery/new_tensor.h"
#include "models/surgery/restored_rows.h"

namespace niah::models {

/// Throws DataError, saying that `what` needs libtorch, in a program that is built without it.
void require_libtorch(const std::string& what);

/// Computes the tensors of one restored checkpoint. What it is made of must outlive it.
class ComputedWeights {
 public:
  ComputedWeights(const CheckpointPair& pair, const NamesBefore& name_before,
                  const RestoreOptions& options)
      : pair_(pair), name_before_(name_before), options_(options) {}

  /// The tensors that `rows` belong to, with those rows restored. `mixer`: theirs, for methods that
  /// make new weights.
  std::vector<NewTensor> restored(const MixerInfo& mixer, const std::vector<PartRows>& rows);
  /// A tensor of the base with the adapter's change.
  NewTensor merged(const std::string& name) const;
  /// RestoreSummary::residual of all that was restored so far.
  std::optional<double> residual() const;

 private:
  // Not used where there is no libtorch.
  [[maybe_unused]] const CheckpointPair& pair_;
  [[maybe_unused]] const NamesBefore& name_before_;
  [[maybe_unused]] const RestoreOptions& options_;
  [[maybe_unused]] double routing_change_ = 0, routing_size_ = 0;  ///< squared
};

}  // namespace niah::models
