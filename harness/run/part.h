// Passes the questions of some cells to an engine, and its answers to the journal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/base/progress.h"
#include "harness/engine/answer.h"
#include "harness/engine/request.h"
#include "harness/plan/journal.h"
#include "harness/plan/question.h"
#include "harness/plan/sharding.h"
#include "harness/plan/work_list.h"
#include "harness/run/cell_batch.h"
#include "harness/run/opened_engine.h"
#include "reports/record.h"

namespace niah {

/// One group of one of a run's engines.
struct GroupRef {
  const OpenedEngine* opened;
  std::size_t index = 0;  ///< of the engine's groups
  const AskedGroup& group() const { return opened->groups[index]; }
  Engine& engine() const { return *opened->engine; }
};

/// Cells that are asked of a group as one list.
struct Part {
  CellBatch cells;
  GroupRef asked;
  std::vector<double> sample_costs;  ///< of one sample of each cell, for the progress line
};

/// What asking needs of its run; must outlive what it is given to.
struct RunContext {
  const WorkList& work;
  Journal& journal;
  Progress& progress;
  const ShardSamples& samples;  ///< that are asked
  std::stop_token stop{};       ///< something failed: nothing more is asked
};

/// How a part is asked.
struct Attempt {
  std::int64_t from = 0;      ///< samples of each cell that were asked before
  bool is_again = false;      ///< the second try, with nothing else running
  bool says_warnings = true;  ///< about short samples; once for all groups
};

/// The questions of a part that have no record yet.
class OpenPart {
 public:
  /// Makes the questions. Throws Interrupted, and what making samples throws.
  OpenPart(const RunContext& context, const Part& part, const Attempt& attempt);
  OpenPart(const OpenPart&) = delete;
  OpenPart& operator=(const OpenPart&) = delete;

  /// Asks all of them and records the answers as they come. False when memory did not suffice for
  /// some, which may fit when less is running, or when the run stops.
  bool ask(bool is_alone);
  /// Records the out-of-memory failures.
  void record_unread();

 private:
  void add(std::size_t cell, std::vector<Question> questions);
  RequestList requests();
  void take(const Answer& answer);
  void record(const Answer& answer);
  bool has_record(std::size_t question, std::size_t variant) const;

  const RunContext* context_;
  const Part* part_;
  std::string names_;  ///< of the variants
  std::vector<Question> questions_;
  std::vector<std::size_t> cell_of_;  ///< of the questions, of part_->cells
  std::mutex lock_;
  std::vector<std::size_t> waiting_;  ///< answers to come, by question
  std::vector<Answer> unread_;
};

/// Asks what is open in a part. False: some of it must be asked again while nothing else is
/// running.
bool ask_part(const RunContext& context, const Part& part, const Attempt& attempt);

}  // namespace niah
