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

/// Hands out the prompts of a schedule to threads, each with its own reader. A thread reads a range
/// in the schedule's order. When it has finished, it takes over the end of the range with the most
/// left (work stealing), if that pays although it must read the text up to there first. So nothing
/// needs to be known in advance about how long answers take. All members may be called from several
/// threads.
class WorkStealingSchedule {
 public:
  /// `schedule`: the schedule of `prompts`.
  WorkStealingSchedule(const std::vector<PromptIds>& prompts, std::vector<ScheduledPrompt> schedule,
                       ReadCost cost);

  /// Adds a thread, and returns its number for the calls below. The first one gets the whole
  /// schedule.
  std::size_t join();
  /// The next turn of thread `worker`, whose reader is where its last prompt left it. Nullopt:
  /// nothing is left that is worth taking over; the thread must not ask again.
  std::optional<ScheduledPrompt> next(std::size_t worker);
  /// `worker` had no memory for its last prompt and stops. Others may take over that prompt and the
  /// rest of its range, but no thread joins any more.
  void give_up(std::size_t worker);
  /// Ends the reading: no more turns are handed out.
  void cancel();

  /// Whether another thread would find work.
  bool has_work() const;
  /// The prompts that were never handed out, or were given up.
  std::vector<std::size_t> unread() const;

 private:
  /// Turns [at, end) of the schedule, which one thread has still to read.
  struct Range {
    std::size_t at = 0, end = 0;
    std::optional<std::size_t> last;  ///< the turn taken last
    bool reading = true;              ///< false: its thread has stopped
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
