// Results in lm-evaluation-harness format, for tools that read its files.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "reports/analysis/results.h"

namespace niah::reports {

/// The results of one variant as the harness writes them: results.<task>."<length>,none" with its
/// standard error, n-samples, versions, config. Tasks have the harness's names (niah_single_1);
/// lengths that were not measured are left out, where the harness writes -1.
std::string lm_eval_results(const Results& results, const VariantInfo& variant);

/// What a sample asks, which records do not hold.
struct SampleText {
  std::string input;
  std::string gen_prefix;
  std::string prompt;  ///< what the model read
};

/// Makes the text of a sample again: by task, length (0: a reasoning problem) and index.
using SampleTexts =
    std::function<SampleText(const std::string& task, std::int64_t length, std::int64_t index)>;

/// Samples as the harness logs them with --log_samples, collected record by record in any order.
class LmEvalSamples {
 public:
  /// Adds a record, unless it is not scored: the harness has no format for that.
  void add(const Record& record);
  /// The JSON lines of one variant (its fingerprint) and task, sorted by length and index. Without
  /// `texts`, `arguments` is empty, and `doc` has neither input nor gen_prefix. Throws DataError
  /// when a prompt is not the one that was asked.
  std::string lines(const std::string& variant, const std::string& task,
                    const SampleTexts& texts = {}) const;

 private:
  using Place = std::pair<std::int64_t, std::int64_t>;  // length, index
  std::map<std::pair<std::string, std::string>, std::map<Place, std::string>> samples_;
};

/// The task's name in the harness: "niah_single_1" for "s1". Other names are as the harness has
/// them in the names of files, where it then looks for them: "word_problems" for "word-problems".
std::string lm_eval_task(const std::string& task);

/// A run's time as the harness writes it in file names: "2026-11-25T15-28-02.000000".
std::string lm_eval_time(const std::string& iso8601);

}  // namespace niah::reports
