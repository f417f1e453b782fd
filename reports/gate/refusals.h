// Runs that the gate does not compare.
#pragma once

#include "reports/analysis/results.h"
#include "reports/gate/gate.h"
#include "reports/gate/variant_pairs.h"
#include "reports/record.h"

namespace niah::reports {

/// Throws DataError if protocol, seed, tokenizer or haystack differ.
void refuse_other_questions(const RunInfo& baseline, const RunInfo& current);

/// Throws UsageError if the baseline has no such cell: a tolerance that is misspelt must not be
/// ignored.
void refuse_unknown_cell(const Results& baseline, const Tolerance& tolerance);

/// Throws DataError if device or dtype differ, and some pair computed its answers itself on both
/// sides: of a server's arithmetic nothing is known.
void refuse_other_arithmetic(const RunInfo& baseline, const RunInfo& current,
                             const VariantPairs& variants);

/// Throws DataError if no variant has a partner, as where a model was renamed. How servers are
/// paired is said in the notes instead.
void refuse_strangers(const RunInfo& baseline, const RunInfo& current,
                      const VariantPairs& variants);

}  // namespace niah::reports
