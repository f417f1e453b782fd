// Results in the form of lm-evaluation-harness, for tools that read its files.
#pragma once

#include <string>

#include "reports/results.h"

namespace niah::reports {

/// The results of one variant as that harness writes them: results.<task>."<length>,none" with its
/// standard error, n-samples, versions, config. Tasks carry that harness's names (niah_single_1);
/// lengths without a measurement are left out, where that harness writes -1.
std::string lm_eval_results(const Results& results, const VariantInfo& variant);

}  // namespace niah::reports
