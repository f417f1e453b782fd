// Rows of the weights that training leaves or puts back as they were, and how far the parts moved.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/causal_lm.h"
#include "models/surgery/restore_options.h"

namespace niah::models {

/// The rows of these parts. Throws UsageError, naming the parts that the model has, if it lacks
/// one.
std::vector<PartRows> rows_of_model(const ModelInfo& info, const std::set<WeightPart>& parts);

/// Whether `parts` are all that the model has, so that nothing is left to train.
bool are_all_parts(const ModelInfo& info, const std::set<WeightPart>& parts);

/// Parts of a model's parameters with a copy of their values.
class HeldRows {
 public:
  /// Copies the values that the parts have now. Throws what rows_of_model throws.
  HeldRows(const CausalLM& model, const std::set<WeightPart>& parts);

  /// Sets their gradients to zero, so that they count nowhere and AdamW's moments stay zero.
  void clear_gradients();
  /// Gives them the values of the copy again.
  void put_back();

 private:
  struct Held {
    at::Tensor parameter;  ///< the whole tensor
    TensorRows rows;
    at::Tensor values;
  };
  std::vector<Held> held_;
};

/// How far each part of the model moved from `before`, which has its parameters by name: its name
/// and |after - before| / |before|. Parts without a norm are left out.
std::vector<std::pair<std::string, double>> part_drift(const CausalLM& model,
                                                       const WeightMap& before);

}  // namespace niah::models
