// Results in the form of lm-evaluation-harness, for tools that read its files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "reports/analysis/results.h"

namespace niah::reports {

/// The results of one variant as that harness writes them: results.<task>."<length>,none" with its
/// standard error, n-samples, versions, config. Tasks carry that harness's names (niah_single_1);
/// lengths without a measurement are left out, where that harness writes -1.
std::string lm_eval_results(const Results& results, const VariantInfo& variant);

/// Samples as that harness logs them with --log_samples, gathered record by record in any order.
class LmEvalSamples {
 public:
  /// Takes a record; what could not be measured is left out, as that harness has no form for it.
  void add(const Record& record);
  /// The lines of one variant and task, by length and index. Each holds what a record holds: no
  /// prompt text, so `arguments` is empty.
  std::string lines(const std::string& variant, const std::string& task) const;

 private:
  using Place = std::pair<std::int64_t, std::int64_t>;  // length, index
  std::map<std::pair<std::string, std::string>, std::map<Place, std::string>> samples_;
};

/// The task's name in that harness: "niah_single_1" for "s1".
std::string lm_eval_task(const std::string& task);

/// A run's time as that harness puts it into file names: "2026-11-25T15-28-02.000000".
std::string lm_eval_time(const std::string& iso8601);

}  // namespace niah::reports
