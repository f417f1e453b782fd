// The threads that read lists: each has one of its own, and helps others when none is left.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <vector>

#include "harness/engine/local/work_stealing_schedule.h"

namespace niah {

/// Lets threads read along in each other's schedules. The threads are the callers'.
class WorkerPool {
 public:
  /// At most so many threads read at once; one more waits.
  explicit WorkerPool(std::int64_t workers) : workers_(workers) {}

  /// Calls `read`, which joins `schedule` and reads until nothing is left for it, here and in any
  /// thread that helps. Returns when all of them are through. The first error ends the reading of
  /// all, as soon as they ask for more, and is thrown.
  void share(WorkStealingSchedule& schedule, const std::function<void()>& read);

  /// Helps whoever shares a schedule that has work left, until `until` is requested. Throws nothing
  /// of what it reads.
  void help(const std::stop_token& until);

 private:
  struct Shared {
    WorkStealingSchedule* schedule;
    const std::function<void()>* read;
    std::int64_t readers = 0;
    std::exception_ptr failure{};
  };

  Shared* find_work() const;
  void join(Shared& shared, std::unique_lock<std::mutex>& guard);

  std::int64_t workers_;
  std::mutex lock_;
  std::condition_variable_any changed_;
  std::int64_t reading_ = 0;  ///< threads
  std::vector<Shared*> open_;
};

}  // namespace niah
