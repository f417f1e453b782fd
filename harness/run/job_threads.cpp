#include "harness/run/job_threads.h"

#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace niah {
namespace {

/// What the threads of one run_jobs have in common.
class JobThreads {
 public:
  JobThreads(const std::vector<JobQueue>& queues, std::stop_source failed,
             const std::function<void(std::size_t)>& job)
      : queues_(&queues), job_(&job), failed_(std::move(failed)), next_(queues.size(), 0) {
    for (const JobQueue& queue : queues) left_ += queue.jobs.size();
    if (left_ == 0) over_.request_stop();
  }

  /// Does jobs of a queue until none is left in it.
  void work(std::size_t queue) {
    while (const auto mine = take(queue)) {
      try {
        (*job_)(*mine);
      } catch (...) {
        fail(std::current_exception());
      }
      finish();
    }
  }
  void wait(std::size_t queue) {
    const auto& afterwards = (*queues_)[queue].afterwards;
    if (afterwards) afterwards(over_.get_token());
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::optional<std::size_t> take(std::size_t queue) {
    const std::lock_guard guard(lock_);
    const std::vector<std::size_t>& jobs = (*queues_)[queue].jobs;
    if (failure_ || next_[queue] == jobs.size()) return std::nullopt;
    return jobs[next_[queue]++];
  }
  void finish() {
    bool is_last = false;
    {
      const std::lock_guard guard(lock_);
      is_last = --left_ == 0;
    }
    if (is_last) over_.request_stop();
  }
  void fail(std::exception_ptr error) {
    {
      const std::lock_guard guard(lock_);
      if (!failure_) failure_ = std::move(error);
    }
    failed_.request_stop();
    over_.request_stop();
  }

  const std::vector<JobQueue>* queues_;
  const std::function<void(std::size_t)>* job_;
  std::stop_source failed_, over_;
  std::mutex lock_;
  std::vector<std::size_t> next_;  ///< place in each queue
  std::size_t left_ = 0;           ///< jobs that are not done
  std::exception_ptr failure_;
};

}  // namespace

void run_jobs(const std::vector<JobQueue>& queues, std::stop_source failed,
              const std::function<void(std::size_t)>& job) {
  JobThreads run(queues, std::move(failed), job);
  {
    std::vector<std::jthread> threads;
    std::vector<bool> has_thread(queues.size(), false);
    try {
      for (std::size_t queue = 0; queue < queues.size(); ++queue)
        for (std::int64_t i = queue == 0 ? 1 : 0; i < queues[queue].threads; ++i) {
          threads.emplace_back([&run, queue] {
            run.work(queue);
            run.wait(queue);
          });
          has_thread[queue] = true;
        }
    } catch (const std::exception&) {  // no more threads to be had: go on with these
    }
    run.work(0);
    for (std::size_t queue = 1; queue < queues.size(); ++queue)
      if (!has_thread[queue]) run.work(queue);
    if (!queues.empty()) run.wait(0);
  }
  run.rethrow();
}

}  // namespace niah
