// Which part of the weights a loss of recall lies in, by what restorations of parts brought back.
#pragma once

#include <string>
#include <vector>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// What putting a part of the weights back brought back over all cells together.
struct PartEffect {
  std::string variant;  ///< fingerprint
  std::string part;     ///< as methods spell it: "q, k", "mlp layers 2"
  Recovered recovered;
};

/// The effects of one model's parts.
struct Attribution {
  std::string model;
  std::vector<PartEffect> alone;    ///< the part alone was put back; the most first
  std::vector<PartEffect> all_but;  ///< everything but the part was; in the run's order

  /// What everything but `part` brought back; nullptr if that was not asked.
  const PartEffect* without(const std::string& part) const;
};

/// The attributions of a run: of models with at least two parts alone, one of them by the method
/// `parts`, whose fine-tune lost recall over all cells together.
std::vector<Attribution> attributions(const Results& results, const Analysis& analysis);

/// "W_Q and W_K", "the MLPs of layers 2, 3": a part in a sentence.
std::string part_in_words(const std::string& part);

/// What the parts brought back, where the loss lies, and which restoration to take; says so where
/// it is spread or n is too small. Plain text.
std::vector<std::string> attribution_in_words(const Results& results,
                                              const Attribution& attribution);

}  // namespace niah::reports
