// A progress line on stderr: rewritten in place on a terminal, a plain line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace niah {

/// "42 s", "3 min 05 s", "2 h 10 min".
std::string format_duration(double seconds);

/// Seconds since `begin`.
double seconds_since(std::chrono::steady_clock::time_point begin);

/// "warning: …" on stderr.
void print_warning(const std::string& text);

/// Shows how far a job of known size is, and when it will end. Safe to use from several threads.
/// The cost unit is the caller's (tokens, steps): the estimate assumes that equal cost takes equal
/// time.
class Progress {
 public:
  /// `total` in the caller's cost units; `quiet` shows nothing.
  Progress(std::string title, double total, bool quiet = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Adds `cost` to what is done; `note` says what it was ("S2@64K base").
  void advance(double cost, const std::string& note);
  /// Removes the line from a terminal so that other output starts clean.
  void clear();
  /// A line that stays, on stderr, quiet or not.
  void warn(const std::string& text);
  /// Seconds since the start.
  double elapsed() const;

 private:
  void show(const std::string& note);

  mutable std::mutex lock_;
  using Clock = std::chrono::steady_clock;
  std::string title_;
  double total_;
  double done_ = 0;
  bool quiet_;
  bool terminal_;
  bool shown_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_{};
};

}  // namespace niah
