#include "harness/engine/local/worker_pool.h"

#include <algorithm>
#include <utility>

namespace niah {

/// Calls the shared `read` without the lock; `guard` holds it before and after.
void WorkerPool::join(Shared& shared, std::unique_lock<std::mutex>& guard) {
  ++reading_;
  ++shared.readers;
  guard.unlock();
  std::exception_ptr failure;
  try {
    (*shared.read)();
  } catch (...) {
    failure = std::current_exception();
    shared.schedule->cancel();
  }
  guard.lock();
  if (failure && !shared.failure) shared.failure = std::move(failure);
  --reading_;
  --shared.readers;
  changed_.notify_all();
}

void WorkerPool::share(WorkStealingSchedule& schedule, const std::function<void()>& read) {
  Shared shared{&schedule, &read};
  std::unique_lock guard(lock_);
  changed_.wait(guard, [&] { return reading_ < workers_; });
  open_.push_back(&shared);
  changed_.notify_all();
  join(shared, guard);
  changed_.wait(guard, [&] { return shared.readers == 0; });
  std::erase(open_, &shared);
  if (shared.failure) std::rethrow_exception(shared.failure);
}

/// A shared schedule with work left; null if there is none, or if enough threads read already. The
/// lock must be held.
WorkerPool::Shared* WorkerPool::find_work() const {
  if (reading_ >= workers_) return nullptr;
  const auto found = std::find_if(open_.begin(), open_.end(), [](const Shared* shared) {
    return shared->schedule->has_work();
  });
  return found == open_.end() ? nullptr : *found;
}

void WorkerPool::help(const std::stop_token& until) {
  std::unique_lock guard(lock_);
  Shared* found = nullptr;
  const auto has_found = [&] { return (found = find_work()) != nullptr; };
  while (changed_.wait(guard, until, has_found) && !until.stop_requested()) join(*found, guard);
}

}  // namespace niah
