// Which variant of a run stands for each variant of a baseline.
#pragma once

#include <string>
#include <vector>

#include "reports/record.h"

namespace niah::reports {

/// A variant of the baseline, and the run's variant that is compared with it.
struct VariantPair {
  const VariantInfo* baseline = nullptr;
  const VariantInfo* current = nullptr;  ///< nullptr: the run has none

  /// The baseline's name; where a variant of another name stands for it, "base (served)".
  std::string name() const;
};

/// All pairs, and what has to be said of them.
struct VariantPairs {
  std::vector<VariantPair> pairs;  ///< in the baseline's order; both point into the descriptions
  std::vector<std::string> notes;  ///< one sentence or two each
  bool has_local_pair = false;     ///< some pair was run on a machine of ours on both sides
  bool has_mixed_pair = false;     ///< some pair was run here once and asked of a server once
};

/// Pairs variants of one model and name, since the weights are expected to differ. A served variant
/// without such a partner stands for the variant whose checkpoint it serves: the one that the run
/// says (`same_as`), or else `served_as`, or else, where it is its model's base, the baseline's
/// base; and where both runs have only one model, that may have two names. Of a run that asked
/// servers alone, only what these stand for is compared. Throws DataError where `served_as` is
/// given and says nothing: the baseline has no such variant, or the run no served one.
VariantPairs pair_variants(const RunInfo& baseline, const RunInfo& current,
                           const std::string& served_as = "");

}  // namespace niah::reports
