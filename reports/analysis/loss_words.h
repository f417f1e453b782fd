// What a fine-tune lost or gained, in words.
#pragma once

#include <string>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// Whether loss_words() says of the variant that it lost recall.
bool has_lost(const Results& results, const Analysis& analysis, const VariantInfo& variant);

/// Whether and where the variant lost or gained recall against its reference: in single cells
/// (after Holm), or else over all cells together, or else how small a loss n would have detected.
/// Empty if nothing was compared.
std::string loss_words(const Results& results, const Analysis& analysis,
                       const VariantInfo& variant);

}  // namespace niah::reports
