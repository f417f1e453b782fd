// A run's results: its description and its cells. All reports are made from these.
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

/// One miss, shown as an example.
struct Example {
  std::string variant;  ///< fingerprint
  std::string task;
  std::int64_t length = 0;
  std::int64_t index = 0;
  double depth = 0;  ///< where the needle stands, percent
  std::string miss;
  std::string expected;
  std::string generated;
  bool operator==(const Example&) const = default;
};

/// The results of a run.
struct Results {
  RunInfo run;
  std::vector<Cell> cells;        ///< by kind, task, length, variant, in the run's order
  std::vector<Example> examples;  ///< a few misses of each variant and task
  /// Answers of served variants and of the checkpoints that they are compared with; not in
  /// results.json.
  KeptAnswers answers;
  std::int64_t ignored = 0;  ///< records left out because the run's plan does not have their cell
  /// The number of records left out by reason: "S3 at 64K", "protocol ruler". Empty in files of
  /// earlier versions.
  std::map<std::string, std::int64_t> left_out;
  /// Records in the journal when the results were computed; nullopt if unknown or without a
  /// journal.
  std::optional<std::int64_t> journal_records;
  bool torn = false;   ///< the journal's last line was incomplete and left out; not in results.json
  double seconds = 0;  ///< wall time of all records
  std::int64_t computed_tokens = 0;

  /// The cell, or nullptr if it has no records.
  const Cell* find(std::string_view kind, std::string_view variant, std::string_view task,
                   std::int64_t length) const;
  /// The cell of a needle task, or nullptr if it has no records.
  const Cell* recall_cell(std::string_view variant, std::string_view task,
                          std::int64_t length) const {
    return find("recall", variant, task, length);
  }
  /// Whether the plan has the cell of a needle task; true if the plan is unknown.
  bool asks(std::string_view task, std::int64_t length) const;
  /// Whether the cell has all samples that the plan asks for, so that what it lacks was not asked.
  bool is_whole(const Cell& cell) const;
  /// Into how many bands of depth a needle task is divided: one where no needle stands anywhere but
  /// at the start, as of tasks whose answer is everywhere in the text.
  int depth_bands_of(std::string_view task) const;
  /// The cell of a reasoning set, or nullptr if it has no records.
  const Cell* reasoning_cell(std::string_view variant, std::string_view task) const {
    return find("reasoning", variant, task, 0);
  }
  /// Names of the reasoning sets that have records, sorted.
  std::vector<std::string> reasoning_tasks() const;
};

/// A cell for which a variant has fewer samples than planned.
struct MissingSamples {
  PlannedCell cell;
  std::string variant;     ///< fingerprint
  std::int64_t found = 0;  ///< of the planned samples, measured or not
};

/// The planned samples without a record. A cell that may end early is missing only if it has no
/// sample at all. Empty if the run's description has no plan.
std::vector<MissingSamples> missing_samples(const Results& results);
/// The total number of missing samples.
std::int64_t count_missing(const std::vector<MissingSamples>& missing);

/// The number of samples whose prompt differs from the first variant's: text, tokenizer or format
/// was not the same, so they cannot be paired with it.
std::int64_t count_other_prompts(const Results& results);

/// Collects records in any order, with bounded memory per record; the results do not depend on the
/// order.
class Collector {
 public:
  explicit Collector(RunInfo run);

  /// Adds a record and returns true; a record that is not part of the run is counted, left out, and
  /// false is returned.
  bool add(const Record& record);

  /// The results. Throws DataError if two records of one sample contradict each other, as in a
  /// journal that mixes two runs.
  Results finish() &&;

 private:
  struct Sample {
    Outcome outcome;
    std::string what;    ///< miss class, or why it was not measured
    std::string detail;  ///< why, in one line, if it was not measured
    double score = 0;
    std::int64_t real_length = 0;
    std::optional<std::int64_t> rank;
  };
  /// Sort key of a cell: the order of the members is the order of cells.
  struct Key {
    bool reasoning = false;
    std::size_t task_place = 0;
    std::string task;
    std::int64_t length = 0;
    std::size_t variant_place = 0;
    auto operator<=>(const Key&) const = default;
  };

  /// The part of the record that the run does not have; empty for a record of the run.
  std::string foreign_part(const Record& record, std::size_t variant, std::size_t task) const;
  void leave_out(const std::string& what);
  void keep_example(const Record& record, std::size_t variant, std::size_t task);
  void keep_answer(const Record& record);
  std::vector<Sample> without_repeats(const Key& key, std::vector<Sample> samples) const;
  Cell summarise(const Key& key, const std::vector<Sample>& samples) const;

  Results results_;
  std::set<std::string> answers_of_;  ///< fingerprints of variants whose answers are kept
  std::map<Key, std::vector<Sample>> samples_;
  /// Per variant and task, a few misses: longest context first, then lowest index.
  std::map<std::pair<std::size_t, std::size_t>,
           std::map<std::pair<std::int64_t, std::int64_t>, Example>>
      examples_;
};

}  // namespace niah::reports
