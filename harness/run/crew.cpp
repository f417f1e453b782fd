#include "harness/run/crew.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

namespace niah {
namespace {

/// Thrown in a job when another one has failed; says nothing itself.
struct Stopped {};

}  // namespace

void Crew::fail(std::exception_ptr error) {
  const std::lock_guard guard(lock_);
  if (!failure_) failure_ = std::move(error);
  for (Shared* shared : open_) shared->schedule->cancel();
  changed_.notify_all();
}

void Crew::share(SharedSchedule& schedule, const std::function<void()>& read) {
  Shared shared{&schedule, &read};
  {
    const std::lock_guard guard(lock_);
    if (failure_) throw Stopped();
    open_.push_back(&shared);
    changed_.notify_all();
  }
  const auto close = [&] {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [&] { return shared.helpers == 0; });
    std::erase(open_, &shared);
    return failure_ != nullptr;
  };
  try {
    read();
  } catch (...) {
    fail(std::current_exception());
  }
  if (close()) throw Stopped();
}

void Crew::help() {
  std::unique_lock guard(lock_);
  while (at_jobs_ > 0 && !failure_) {
    const auto found = std::find_if(open_.begin(), open_.end(), [](const Shared* shared) {
      return shared->schedule->has_work();
    });
    if (found == open_.end()) {
      changed_.wait(guard);
      continue;
    }
    Shared& shared = **found;
    ++shared.helpers;
    guard.unlock();
    try {
      (*shared.read)();
    } catch (...) {
      fail(std::current_exception());
    }
    guard.lock();
    --shared.helpers;
    changed_.notify_all();
  }
}

void Crew::work(std::size_t jobs, const std::function<void(std::size_t)>& job) {
  if (workers_ > 1 && prepare_) prepare_();
  while (true) {
    std::size_t mine = 0;
    {
      const std::lock_guard guard(lock_);
      if (failure_ || next_ == jobs) break;
      mine = next_++;
    }
    try {
      job(mine);
    } catch (const Stopped&) {
      break;  // the other's error is the one to report
    } catch (...) {
      fail(std::current_exception());
    }
  }
  {
    const std::lock_guard guard(lock_);
    --at_jobs_;
    changed_.notify_all();
  }
  help();
}

void Crew::run(std::size_t jobs, const std::function<void(std::size_t)>& job) {
  next_ = 0;
  at_jobs_ = workers_;
  std::vector<std::jthread> threads;
  threads.reserve(static_cast<std::size_t>(workers_));
  try {
    while (std::ssize(threads) + 1 < workers_) threads.emplace_back([&] { work(jobs, job); });
  } catch (const std::exception&) {  // no more threads to be had: these do it
    const std::lock_guard guard(lock_);
    at_jobs_ -= workers_ - 1 - std::ssize(threads);
    changed_.notify_all();
  }
  work(jobs, job);
  threads.clear();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace niah
