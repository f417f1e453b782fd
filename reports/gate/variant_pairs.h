// Which variant of a run is compared with each variant of a baseline.
#pragma once

#include <string>
#include <vector>

#include "reports/record.h"

namespace niah::reports {

/// A variant of the baseline and the run's variant that is compared with it.
struct VariantPair {
  const VariantInfo* baseline = nullptr;
  const VariantInfo* current = nullptr;  ///< nullptr if the run has none

  /// The baseline variant's name, followed by the run's name for it if that differs: "base
  /// (served)".
  std::string name() const;
};

/// All pairs, with notes for the reader.
struct VariantPairs {
  std::vector<VariantPair> pairs;  ///< in the baseline's order; they point into the two RunInfo
  std::vector<std::string> notes;  ///< one or two sentences each
  bool has_local_pair = false;     ///< some pair is local on both sides
  bool has_mixed_pair = false;     ///< some pair is local on one side, served on the other
};

/// Pairs variants by model and name, since fingerprints are expected to differ. A served variant
/// without a namesake is paired with the variant whose checkpoint it serves: the one that the run
/// names (`same_as`), or else `served_as`, or else, if its role is base, the baseline's base. For
/// these, model names may differ if both runs have only one model. If the run has served variants
/// only, baseline variants without a partner are left out. Throws DataError if `served_as` is given
/// but the baseline has no such variant or the run has no served one.
VariantPairs pair_variants(const RunInfo& baseline, const RunInfo& current,
                           const std::string& served_as = "");

}  // namespace niah::reports
