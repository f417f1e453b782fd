// One schedule of prompts, read by several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "harness/engine/local/prefix_schedule.h"

namespace niah {

/// What it costs to read a text from one position to another, in any unit.
using ReadCost = std::function<double(std::int64_t begin, std::int64_t end)>;

/// Hands the prompts of a schedule out to threads that read on their own. Each reads a range in the
/// schedule's order; one that is through takes over the end of the range that has most left,
/// where that pays although it must read up to there first (work stealing). So nothing need be
/// known of how long answers take. All members may be called from several threads.
class WorkStealingSchedule {
 public:
  /// `schedule`: the schedule of `prompts`.
  WorkStealingSchedule(const std::vector<PromptIds>& prompts, std::vector<ScheduledPrompt> schedule,
                       ReadCost cost);

  /// A thread that reads along from here on. The first one has everything before it.
  std::size_t join();
  /// What thread `worker` reads next; its reader stands where its last prompt left it. Nullopt:
  /// there is nothing left that is worth its while; the thread may not ask again.
  std::optional<ScheduledPrompt> next(std::size_t worker);
  /// `worker` could not read its last prompt for want of memory and stops; others may take over
  /// that one and all it still had, but no thread joins any more.
  void give_up(std::size_t worker);
  /// Ends the reading: nothing is handed out any more.
  void cancel();

  /// Whether another thread would find work.
  bool has_work() const;
  /// The prompts that nobody has been given to read, those given up included.
  std::vector<std::size_t> unread() const;

 private:
  /// Turns [at, end) of the schedule are still to be taken by one thread.
  struct Range {
    std::size_t at = 0, end = 0;
    std::optional<std::size_t> last;  ///< the turn taken last
    bool reading = true;              ///< false: nobody is at it
  };
  /// The end [at, end) of range `of`.
  struct Cut {
    std::size_t of = 0, at = 0;
  };

  std::int64_t known(std::optional<std::size_t> last, std::size_t index) const;
  std::optional<Cut> find_cut(std::optional<std::size_t> last) const;

  mutable std::mutex lock_;
  std::vector<ScheduledPrompt> schedule_;
  std::vector<std::int64_t> sizes_;  ///< tokens of each turn's prompt
  ReadCost cost_;
  std::vector<double> costs_;  ///< of each turn after the one before it
  std::vector<Range> ranges_;
  bool closed_ = false, cancelled_ = false;
};

}  // namespace niah
