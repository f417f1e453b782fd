// A run's results: its description and its cells. All reports are drawn from this.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reports/analysis/answers.h"
#include "reports/analysis/cells.h"
#include "reports/record.h"

namespace niah::reports {

/// A miss to look at.
struct Example {
  std::string variant;  ///< fingerprint
  std::string task;
  std::int64_t length = 0;
  std::int64_t index = 0;
  double depth = 0;
  std::string miss;
  std::string expected;
  std::string generated;
  bool operator==(const Example&) const = default;
};

/// What a run found.
struct Results {
  RunInfo run;
  std::vector<Cell> cells;        ///< by kind, task, length, variant, in the run's order
  std::vector<Example> examples;  ///< a few misses of each variant and task
  /// Of served variants and of those that they are compared with; not in files.
  KeptAnswers answers;
  std::int64_t ignored = 0;  ///< records of what the run's plan has not; left out
  /// The same by what they are of: "S3 at 64K", "protocol ruler". Empty in files of earlier
  /// versions.
  std::map<std::string, std::int64_t> left_out;
  /// Records in the journal when this was drawn; nullopt: not known, or there was no journal.
  std::optional<std::int64_t> journal_records;
  bool torn = false;   ///< the journal's last line had no end and was left out; not in files
  double seconds = 0;  ///< wall time of all records
  std::int64_t computed_tokens = 0;

  /// The cell, or nullptr when it has no records.
  const Cell* find(std::string_view kind, std::string_view variant, std::string_view task,
                   std::int64_t length) const;
  const Cell* recall_cell(std::string_view variant, std::string_view task,
                          std::int64_t length) const {
    return find("recall", variant, task, length);
  }
  const Cell* reasoning_cell(std::string_view variant, std::string_view task) const {
    return find("reasoning", variant, task, 0);
  }
  /// Names of the reasoning sets that have records, sorted.
  std::vector<std::string> reasoning_tasks() const;
};

/// A cell of which a variant has fewer samples than the plan asks.
struct MissingSamples {
  PlannedCell cell;
  std::string variant;     ///< fingerprint
  std::int64_t found = 0;  ///< measured or not
};

/// What is missing of the run's plan. A cell that may end early is missing only as a whole; nothing
/// is known to be missing of a run whose description has no plan.
std::vector<MissingSamples> missing_samples(const Results& results);
/// How many samples that is.
std::int64_t count_missing(const std::vector<MissingSamples>& missing);

/// Samples that some variants were asked with another prompt than the first: their text, tokenizer
/// or format was not the same, and they are paired with nothing.
std::int64_t count_other_prompts(const Results& results);

/// Gathers records, in any order and in bounded memory a record, into results that do not depend on
/// the order.
class Collector {
 public:
  explicit Collector(RunInfo run);

  /// Takes a record of the run and returns true; others are counted and left out.
  bool add(const Record& record);

  /// The results. Throws DataError when two records of one sample contradict each other: that is a
  /// journal of two different runs.
  Results finish() &&;

 private:
  struct Sample {
    Outcome outcome;
    std::string what;    ///< miss class, or why it was not measured
    std::string detail;  ///< of a sample that was not measured
    double score = 0;
    std::int64_t real_length = 0;
    std::optional<std::int64_t> rank;
  };
  /// Where a cell stands among the others: the order of the members is the order of cells.
  struct Key {
    bool reasoning = false;
    std::size_t task_place = 0;
    std::string task;
    std::int64_t length = 0;
    std::size_t variant_place = 0;
    auto operator<=>(const Key&) const = default;
  };

  /// What the record is of that the run has not; empty for a record of the run.
  std::string foreign_part(const Record& record, std::size_t variant, std::size_t task) const;
  void leave_out(const std::string& what);
  void keep_example(const Record& record, std::size_t variant, std::size_t task);
  void keep_answer(const Record& record);
  std::vector<Sample> without_repeats(const Key& key, std::vector<Sample> samples) const;
  Cell summarise(const Key& key, const std::vector<Sample>& samples) const;

  Results results_;
  std::set<std::string> answers_of_;  ///< fingerprints of variants whose answers are kept
  std::map<Key, std::vector<Sample>> samples_;
  /// Per variant and task, the few misses of the longest contexts, lowest index first.
  std::map<std::pair<std::size_t, std::size_t>,
           std::map<std::pair<std::int64_t, std::int64_t>, Example>>
      examples_;
};

}  // namespace niah::reports
