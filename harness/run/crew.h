// The threads of a run: each has a job of its own, and helps others when none is left.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "harness/run/shared_schedule.h"

namespace niah {

/// Does jobs with a number of threads. A job may open a schedule that threads without a job of
/// their own read along.
class Crew {
 public:
  /// With one worker everything happens in the calling thread. With more, each thread calls
  /// `prepare` before its first job, the calling one included.
  explicit Crew(std::int64_t workers, std::function<void()> prepare = {})
      : workers_(workers), prepare_(std::move(prepare)) {}
  std::int64_t workers() const { return workers_; }

  /// Does `job(0)` to `job(jobs - 1)`, in this order but several at once, and returns when all are
  /// done. The first error ends all of them, as soon as they share or take a job, and is thrown.
  void run(std::size_t jobs, const std::function<void(std::size_t)>& job);

  /// For a job: calls `read`, which reads `schedule` with a hand of its own until nothing is left
  /// for it, here and in any thread that has nothing else to do. Returns when all of them are
  /// through. Throws when the crew has to stop.
  void share(SharedSchedule& schedule, const std::function<void()>& read);

 private:
  struct Shared {
    SharedSchedule* schedule;
    const std::function<void()>* read;
    std::int64_t helpers = 0;
  };

  void work(std::size_t jobs, const std::function<void(std::size_t)>& job);
  void help();
  void fail(std::exception_ptr error);

  std::int64_t workers_;
  std::function<void()> prepare_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::size_t next_ = 0;      ///< job to be taken
  std::int64_t at_jobs_ = 0;  ///< threads that may still share something
  std::vector<Shared*> open_;
  std::exception_ptr failure_;
};

}  // namespace niah
