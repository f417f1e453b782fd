// The threads of a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

namespace niah {

/// Jobs for one kind of thread.
struct JobQueue {
  std::vector<std::size_t> jobs;  ///< in this order
  std::int64_t threads = 1;
  /// What a thread without jobs left does until all jobs of all queues are done.
  std::function<void(const std::stop_token&)> afterwards;
};

/// Calls `job` with every job of every queue, several at once; the calling thread is one of those
/// of the first queue. Returns when all are done. The first error requests a stop of `failed`, so
/// that the others end soon, and is thrown. If the system cannot start all threads, fewer do the
/// work.
void run_jobs(const std::vector<JobQueue>& queues, std::stop_source failed,
              const std::function<void(std::size_t)>& job);

}  // namespace niah
