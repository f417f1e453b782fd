// Which part of the weights a loss of recall lies in, by what restorations of parts brought back.
#pragma once

#include <string>
#include <vector>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// What brings back so much of the loss brings back nearly all of it.
inline constexpr double kNearlyAll = 0.8;

/// What the recoveries say of the parts: of models with at least two parts alone, one of them by
/// the method `parts`, whose fine-tune lost recall, also over all cells together. `analysis` has
/// the comparisons and the recoveries.
std::vector<Attribution> attributions(const Results& results, const Analysis& analysis);

/// Why no part of the model's weights is named although the run asked for them; "" where one may
/// be. Plain text.
std::string nothing_to_attribute(const Results& results, const Analysis& analysis,
                                 const std::string& model);

/// "W_Q and W_K", "the MLPs of layers 2, 3": a part in a sentence.
std::string part_in_words(const std::string& part);

/// What the parts brought back, where the loss lies, and which restoration to take; says so where
/// it is spread or n is too small. Plain text.
std::vector<std::string> attribution_in_words(const Results& results,
                                              const Attribution& attribution);

}  // namespace niah::reports
