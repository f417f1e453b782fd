// What a run of one checkpoint tells: where it is sure to find, where it falls short, and how far
// that can be trusted.
#pragma once

#include <string>
#include <vector>

#include "reports/analysis/results.h"

namespace niah::reports {

/// How a cell stands against a recall of kEffectiveRecall, by its 95 % interval.
enum class Standing {
  kSure,         ///< the whole interval is not below it
  kUndecided,    ///< it is within the interval
  kShort,        ///< the whole interval is below it
  kNotMeasured,  ///< no sample was measured
};

/// The standing of a cell; nullptr: it has no records.
Standing standing_of(const Cell* cell);

/// One or two sentences: up to which length it can be trusted, task by task, and where it falls
/// short. Empty if the run has no needle task.
std::string trust_in_words(const Results& results, const VariantInfo& variant);

/// Task by task where it is sure, undecided and short, at which depth it is worst, and which cell
/// is known least.
std::vector<std::string> standings_in_words(const Results& results, const VariantInfo& variant);

}  // namespace niah::reports
