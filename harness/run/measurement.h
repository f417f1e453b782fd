// Asks a sweep's questions: which cells in which order, when a cell ends, what is tried twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "harness/plan/journal.h"
#include "harness/plan/sharding.h"
#include "harness/plan/work_list.h"
#include "harness/run/opened_engine.h"
#include "harness/run/part.h"
#include "tasks/protocol.h"

namespace niah {

/// Measures a sweep with any number of engines.
class Measurement {
 public:
  /// All arguments must outlive it. `samples`: which samples it asks.
  Measurement(const WorkList& work, const std::vector<OpenedEngine>& engines, Journal& journal,
              const ShardSamples& samples);

  /// Asks everything that has no record in the journal, with as many lists at once as each engine
  /// likes. A sample that ran out of memory is asked once more, by itself, and then recorded as
  /// such. Shows a progress line unless `quiet`. Throws the first error, after all finished answers
  /// are recorded.
  void run(bool quiet);

 private:
  /// The work of one thread: a batch on one group or, if the cell may end early, on all groups of
  /// all engines.
  struct Job {
    CellBatch cells;
    std::vector<GroupRef> groups;
    std::size_t engine = 0;  ///< whose threads do it
    double cost = 0;
  };

  void plan(std::size_t engine);
  Job& job_for(const CellBatch& batch, std::size_t engine);
  Part part_of(const Job& job, const GroupRef& asked) const;
  bool is_first(const GroupRef& asked) const;
  bool is_known(const Job& job, std::int64_t samples) const;
  bool run_job(const RunContext& context, const Job& job, bool is_again) const;
  bool run_until_known(const RunContext& context, const Job& job, bool is_again) const;

  const WorkList* work_;
  const std::vector<OpenedEngine>* engines_;
  Journal* journal_;
  const ShardSamples* samples_;
  std::vector<Job> jobs_;
  std::map<const tasks::Cell*, std::size_t> joint_;  ///< jobs of cells that may end early
};

}  // namespace niah
