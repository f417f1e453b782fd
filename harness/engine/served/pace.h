// How many requests a server gets at once, and how long to wait before a retry.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>

namespace niah::served {

/// Times are in seconds. Tests make them short.
struct PaceSettings {
  double first_pause = 1;            ///< before the second try; twice as long before each later one
  double longest_pause = 30;         ///< that the pauses grow to
  double longest_retry_after = 120;  ///< the longest pause that a server may ask for
  double between_halvings = 1;       ///< answers within this time report one overload
  /// A number from 0 to 1 for each pause; empty: random ones. Called from several threads.
  std::function<double()> jitter{};
};

/// Seconds to wait before try `next` (from 2): random between 0 and a pause that doubles with every
/// try, so that requests that failed together are not retried together; at least what the server
/// asks for.
double pause_before(std::int64_t next, std::optional<double> retry_after,
                    const PaceSettings& settings);

/// Waits; false when `stop` is requested meanwhile.
bool wait_seconds(double seconds, const std::stop_token& stop);

/// Limits the requests in flight to one server, from any number of threads: fewer when the server
/// is overloaded, more again when it answers.
class Pace {
 public:
  /// One request in flight, for as long as the object lives.
  class Slot {
   public:
    explicit Slot(Pace& pace) : pace_(&pace) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    Slot(Slot&& other) noexcept : pace_(other.pace_) { other.pace_ = nullptr; }
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (pace_ != nullptr) pace_->end();
    }

   private:
    Pace* pace_;
  };

  /// `concurrency`: requests in flight, at most; at least one.
  explicit Pace(std::int64_t concurrency, PaceSettings settings = {});

  const PaceSettings& settings() const { return settings_; }

  /// Waits until one more may be in flight; nullopt when `stop` is requested first.
  std::optional<Slot> begin(const std::stop_token& stop);
  /// Reports an answer. After as many answers as the limit, the limit grows by one.
  void answered();
  /// Reports an overload: halves the limit, and lets no request begin for `retry_after` seconds.
  void overloaded(std::optional<double> retry_after);

  /// How many may be in flight now.
  std::int64_t limit() const;
  std::int64_t in_flight() const;

 private:
  using Clock = std::chrono::steady_clock;
  void end();

  const std::int64_t concurrency_;
  const PaceSettings settings_;
  mutable std::mutex lock_;
  std::condition_variable_any changed_;
  std::int64_t limit_;
  std::int64_t in_flight_ = 0;
  std::int64_t answered_ = 0;  ///< since the limit changed
  Clock::time_point not_before_{};
  std::optional<Clock::time_point> halved_{};
};

}  // namespace niah::served
