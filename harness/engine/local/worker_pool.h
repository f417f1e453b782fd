// The threads that read lists: each has a list of its own, and helps others when it has none left.
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

/// Lets threads help to read each other's schedules. It starts no threads: they are its callers.
class WorkerPool {
 public:
  /// At most `workers` threads read at once; any more wait.
  explicit WorkerPool(std::int64_t workers) : workers_(workers) {}

  /// Calls `read` here, and in every thread that helps; it joins `schedule` and reads until nothing
  /// is left. Returns when all of them have finished. The first error cancels the schedule and is
  /// thrown.
  void share(WorkStealingSchedule& schedule, const std::function<void()>& read);

  /// Helps to read any shared schedule that has work left, until a stop is requested through
  /// `until`. Errors of `read` are thrown by share(), not here.
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
