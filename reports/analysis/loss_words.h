// What a fine-tune lost or gained, in words.
#pragma once

#include <optional>
#include <string>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// Whether loss_words() says of the variant that it lost recall.
bool has_lost(const Results& results, const Analysis& analysis, const VariantInfo& variant);

/// Whether a loss of the variant would have shown: where n is too small, none does, however large.
bool would_show_loss(const Results& results, const Analysis& analysis, const VariantInfo& variant);

/// What a restoration brought back over all cells together; nullopt where nothing is said to be
/// lost.
std::optional<Recovered> brought_back(const Results& results, const Analysis& analysis,
                                      const VariantInfo& restored);

/// Whether and where the variant lost or gained recall against its reference: in single cells
/// (after Holm), or else over all cells together, or else how small a loss n would have detected.
/// Empty if nothing was compared.
std::string loss_words(const Results& results, const Analysis& analysis,
                       const VariantInfo& variant);

}  // namespace niah::reports
