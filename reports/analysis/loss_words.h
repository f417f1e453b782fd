// What a fine-tune lost, in one sentence.
#pragma once

#include <string>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// Whether and where the variant lost recall against its reference: by single cells (after Holm),
/// else by all of them together, else what n would have shown. Empty where nothing was compared.
std::string loss_words(const Results& results, const Analysis& analysis,
                       const VariantInfo& variant);

}  // namespace niah::reports
