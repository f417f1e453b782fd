// A run folder opened again: to draw its reports, or to look at single samples.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/plan/work_list.h"
#include "reports/record.h"
#include "reports/report.h"
#include "tasks/sample.h"
#include "tasks/sample_file.h"

namespace niah {

/// Draws a run's reports again from its plan and journal. Throws DataError.
reports::Report draw_again(const std::filesystem::path& run);
/// The same with every sample's prompt in lm_eval/, made again. Throws what RunFolder throws, too.
reports::Report draw_with_prompts(const std::filesystem::path& run);

/// Makes the samples of a log in the folder lm_eval/ of a run again; an empty function when it is
/// in none. Throws what RunFolder throws, and UsageError when that run read its samples from files.
tasks::SampleMaker open_run_of_log(const std::filesystem::path& log);

/// One sample of a run, as people write it: "s2@64K#7", or "gsm8k#7" for a reasoning problem.
struct SampleId {
  std::string task;
  std::int64_t length = 0;  ///< 0: a reasoning problem
  std::int64_t index = 0;
  std::string text() const;
};

/// Parses what SampleId::text() writes. Throws UsageError.
SampleId parse_sample_id(const std::string& text);

/// Half-open range of a prompt's tokens.
struct TokenSpan {
  std::int64_t begin = 0, end = 0;
};

/// The tokens of `prompt`, the sample's text with its frame, that hold the needle asked for,
/// including the space before it, which belongs to the first word's token.
TokenSpan needle_tokens(const tasks::Sample& sample, const std::string& prompt,
                        const models::Tokenizer& tokenizer);

/// A sample of a run, generated again.
struct StoredSample {
  Question question;
  std::optional<tasks::Sample> sample;  ///< nullopt: a reasoning problem
  std::string prompt;                   ///< what the model reads
};

/// A run's plan and the samples that it asks. A merge has those of all its runs.
class RunFolder {
 public:
  /// Opens what the run's plan names: tokenizer, haystack or sample files; no model. `variant`
  /// keeps only the variants of that name; empty: all. Throws what reading those throws, and
  /// UsageError when there is no such variant, or when the haystack is no longer that of the run.
  RunFolder(const std::filesystem::path& folder, const std::string& variant);

  const reports::RunInfo& info() const { return info_; }
  /// The first run's, if this is a merge.
  const WorkList& work() const { return *sweeps_.front().work; }

  /// Throws UsageError, saying what there is, when the run has no such sample. This object must
  /// outlive the result.
  StoredSample sample(const SampleId& id) const;
  /// The needle's sample alone, without its question: what sample().sample is.
  tasks::LoggedSample logged_sample(const SampleId& id) const;
  /// The sample's records, in the order of the journal.
  std::vector<reports::Record> records(const SampleId& id) const;

 private:
  /// What one config asks.
  struct Sweep {
    std::unique_ptr<WorkList> work;
    std::vector<WorkItem> assignments;
  };
  /// Where a sample is asked: the work item, its list, and the sample's ordinal in it.
  struct Place {
    const WorkList* work = nullptr;
    const WorkItem* item = nullptr;
    std::int64_t ordinal = 0;
  };

  Place find(const SampleId& id) const;

  std::filesystem::path folder_;
  reports::RunInfo info_;
  std::vector<Sweep> sweeps_;
};

}  // namespace niah
