// One schedule of prompts, read by several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "harness/run/prefix_schedule.h"

namespace niah {

/// What it costs to read a text from one position to another, in any unit.
using ReadCost = std::function<double(std::int64_t begin, std::int64_t end)>;

/// Hands the visits of a schedule out to threads that read on their own. Each reads a stretch in
/// the schedule's order; one that is through takes over the end of the stretch that has most left,
/// where that pays although it must read up to there first (work stealing). So nothing need be
/// known of how long answers take. All members may be called from several threads.
class SharedSchedule {
 public:
  /// `visits`: the schedule of `prompts`.
  SharedSchedule(const std::vector<PromptIds>& prompts, std::vector<Visit> visits, ReadCost cost);

  /// A thread that reads along from here on. The first one has everything before it.
  std::size_t join();
  /// What thread `hand` reads next; its reader stands where its last visit left it. Nullopt: there
  /// is nothing left that is worth its while; the thread may not ask again.
  std::optional<Visit> next(std::size_t hand);
  /// `hand` could not read its last visit for want of memory and stops; others may take over what
  /// it had before it, but no thread joins any more.
  void give_up(std::size_t hand);
  /// Ends the reading: nothing is handed out any more.
  void cancel();

  /// Whether another thread would find work.
  bool has_work() const;
  /// How many threads have joined.
  std::size_t hands() const;
  /// The prompts that nobody has been given to read, those given up included.
  std::vector<std::size_t> unread() const;

 private:
  /// Visits [at, end) are still to be read by one thread.
  struct Stretch {
    std::size_t at = 0, end = 0;
    std::optional<std::size_t> last;  ///< the visit read last
    bool reading = true;              ///< false: nobody is at it
  };
  /// The end [at, end) of stretch `of`.
  struct Cut {
    std::size_t of = 0, at = 0;
  };

  std::int64_t known(std::optional<std::size_t> last, std::size_t visit) const;
  std::optional<Cut> find_cut(std::optional<std::size_t> last) const;

  mutable std::mutex lock_;
  std::vector<Visit> visits_;
  std::vector<std::int64_t> sizes_;  ///< tokens of each visit's prompt
  ReadCost cost_;
  std::vector<double> costs_;  ///< of each visit behind the one before it
  std::vector<Stretch> stretches_;
  bool closed_ = false, cancelled_ = false;
};

}  // namespace niah
