// Gradient locality: from which query-key distances a fine-tune's gradient of W_Q and W_K comes
// (arXiv 2606.11052: it concentrates on short distances, g(tau) <= C exp(-tau / W)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/training/trainer.h"

namespace niah::models {

/// Indexed by the distance tau = 0, 1, ... between query and key in tokens; over all query-key
/// pairs of the softmax layers whose query position receives a gradient.
struct GradientLocality {
  std::vector<std::int64_t> pairs;  ///< number of pairs
  /// Mean of |dL/ds| |k| over the pairs, where s is the attention logit: the size of a pair's
  /// contribution to the gradient of W_Q, per unit of the layer's input.
  std::vector<double> query;
  std::vector<double> key;  ///< |dL/ds| |q|: the same for W_K
};

/// Accumulates gradient locality over batches. It is measured in a forward and backward pass of its
/// own, on the loss that Trainer::step minimises; parameters and training state do not change.
class LocalityProbe {
 public:
  void add(CausalLM& model, const Batch& batch);
  std::int64_t batches() const { return batches_; }
  GradientLocality result() const;
  /// The sums so far as text, from which restore() recovers them exactly.
  std::string state() const;
  /// Replaces the sums by those of state(). Throws DataError for text that state() did not write.
  void restore(const std::string& state);

 private:
  std::int64_t batches_ = 0;
  std::vector<double> pairs_, query_, key_;  ///< sums
};

/// Fits g(tau) = C exp(-tau / W) and returns W in tokens: least squares on log g over the distances
/// with more than a tenth as many pairs as the most frequent one. nullopt if g does not fall or
/// fewer than three distances qualify.
std::optional<double> fit_decay(const std::vector<double>& g,
                                const std::vector<std::int64_t>& pairs);

}  // namespace niah::models
