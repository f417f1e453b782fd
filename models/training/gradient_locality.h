// How near the pairs of tokens are from which a fine-tune's gradient of W_Q and W_K comes (arXiv
// 2606.11052: it concentrates on short distances, g(tau) <= C exp(-tau / W)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/training/trainer.h"

namespace niah::models {

/// By distance tau = 0, 1, ... between query and key, over the softmax layers' pairs whose query
/// takes part in the loss.
struct GradientLocality {
  std::vector<std::int64_t> pairs;
  /// Mean of |dL/ds| |k| over the pairs: the size of what a pair adds to the gradient of W_Q, per
  /// unit of the layer's input; s is the attention logit.
  std::vector<double> query;
  std::vector<double> key;  ///< |dL/ds| |q|: the same for W_K
};

/// Adds up batches. The gradient is that of the loss that Trainer::step minimises, taken anew with
/// the attention weights spelled out; no parameter and no training state changes.
class LocalityProbe {
 public:
  void add(CausalLM& model, const Batch& batch);
  std::int64_t batches() const { return batches_; }
  GradientLocality result() const;
  /// What was added so far, as text that restore() reads again to the last bit.
  std::string state() const;
  /// Goes on from there. Throws DataError for text that state() did not write.
  void restore(const std::string& state);

 private:
  std::int64_t batches_ = 0;
  std::vector<double> pairs_, query_, key_;  ///< sums
};

/// W of C exp(-tau / W), by least squares on the logarithm of `g` over the distances that have at
/// least a tenth as many pairs as the most frequent one. nullopt where g does not fall.
std::optional<double> fit_decay(const std::vector<double>& g,
                                const std::vector<std::int64_t>& pairs);

}  // namespace niah::models
