// The threads of a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

namespace niah {

/// Jobs that one kind of thread does.
struct JobQueue {
  std::vector<std::size_t> jobs;  ///< in this order
  std::int64_t threads = 1;
  /// What a thread does that has no job left, until all jobs of all queues are done.
  std::function<void(const std::stop_token&)> afterwards;
};

/// Calls `job` with every job of every queue, several at once; the calling thread is one of those
/// of the first queue. Returns when all are done. The first error requests `failed`, so that the
/// others end soon, and is thrown. Fewer threads do it where the system gives no more.
void run_jobs(const std::vector<JobQueue>& queues, std::stop_source failed,
              const std::function<void(std::size_t)>& job);

}  // namespace niah
