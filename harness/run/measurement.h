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

/// The measuring of a sweep by any number of engines.
class Measurement {
 public:
  /// All of them outlive it. `samples`: which ones it asks.
  Measurement(const WorkList& work, const std::vector<OpenedEngine>& engines, Journal& journal,
              const ShardSamples& samples);

  /// Asks everything that the journal does not hold, each engine as many cells at once as it likes.
  /// What memory did not suffice for is asked once more, by itself, and then recorded as such.
  /// Shows a progress line unless `quiet`. Throws the first error, all finished answers recorded.
  void run(bool quiet);

 private:
  /// What one thread sees through: a batch on one group, or, where it ends when all variants are
  /// known well enough, on all groups of all engines.
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
