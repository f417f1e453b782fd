#include "harness/engine/served/pace.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace niah::served {
namespace {

std::chrono::steady_clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

double random_share() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(random);
}

double asked_for(std::optional<double> retry_after, const PaceSettings& settings) {
  return std::clamp(retry_after.value_or(0), 0.0, settings.longest_retry_after);
}

}  // namespace

double pause_before(std::int64_t next, std::optional<double> retry_after,
                    const PaceSettings& settings) {
  constexpr std::int64_t kMostDoublings = 60;
  const auto doublings = static_cast<int>(std::clamp<std::int64_t>(next - 2, 0, kMostDoublings));
  const double pause =
      std::min(settings.longest_pause, std::ldexp(settings.first_pause, doublings));
  const double share = settings.jitter ? settings.jitter() : random_share();
  return std::max(share * pause, asked_for(retry_after, settings));
}

bool wait_seconds(double seconds, const std::stop_token& stop) {
  std::mutex lock;
  std::condition_variable_any never;
  std::unique_lock guard(lock);
  never.wait_for(guard, stop, duration_of(seconds), [] { return false; });
  return !stop.stop_requested();
}

Pace::Pace(std::int64_t concurrency, PaceSettings settings)
    : concurrency_(std::max<std::int64_t>(1, concurrency)),
      settings_(std::move(settings)),
      limit_(concurrency_) {}

std::optional<Pace::Slot> Pace::begin(const std::stop_token& stop) {
  std::unique_lock guard(lock_);
  while (!stop.stop_requested()) {
    changed_.wait(guard, stop, [&] { return in_flight_ < limit_; });
    if (stop.stop_requested()) break;
    const Clock::time_point begin = not_before_;
    if (Clock::now() >= begin) {
      ++in_flight_;
      return std::make_optional<Slot>(*this);
    }
    // Only a stop ends this wait early; after it, everything is checked again.
    changed_.wait_until(guard, stop, begin, [] { return false; });
  }
  return std::nullopt;
}

void Pace::end() {
  {
    const std::lock_guard guard(lock_);
    --in_flight_;
  }
  changed_.notify_all();
}

void Pace::answered() {
  {
    const std::lock_guard guard(lock_);
    if (limit_ == concurrency_ || ++answered_ < limit_) return;
    answered_ = 0;
    ++limit_;
  }
  changed_.notify_all();
}

void Pace::overloaded(std::optional<double> retry_after) {
  const std::lock_guard guard(lock_);
  const Clock::time_point now = Clock::now();
  not_before_ = std::max(not_before_, now + duration_of(asked_for(retry_after, settings_)));
  if (halved_ && now - *halved_ < duration_of(settings_.between_halvings)) return;
  halved_ = now;
  limit_ = std::max<std::int64_t>(1, limit_ / 2);
  answered_ = 0;
}

std::int64_t Pace::limit() const {
  const std::lock_guard guard(lock_);
  return limit_;
}

std::int64_t Pace::in_flight() const {
  const std::lock_guard guard(lock_);
  return in_flight_;
}

}  // namespace niah::served
