// Measures how the time for an input grows with its size. Uses processor time, which other load on
// the machine does not affect.
#pragma once

#include <algorithm>
#include <ctime>
#include <limits>

namespace niah {

/// The processor time in seconds that `work` takes in this thread.
template <typename Work>
double processor_seconds(const Work& work) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double begin = now();
  work();
  return now() - begin;
}

/// A bound between linear and quadratic, with a margin for larger inputs that no longer fit in the
/// caches: 9 was seen for the merges of a word of a million bytes, which take n log n time.
inline constexpr double kMostLinearGrowth = 11;

/// The time of `work(4 * size)` divided by that of `work(size)`: about 4 if the time is linear, 16
/// if it is quadratic. Takes the shortest of three runs each, and of up to seven while the quotient
/// is in doubt, since cache misses and page faults only add time.
template <typename Work>
double growth_times_four(std::size_t size, const Work& work) {
  double small = std::numeric_limits<double>::max(), large = small;
  for (int round = 0; round < 7; ++round) {
    if (round >= 3 && large / small < kMostLinearGrowth / 2) break;
    small = std::min(small, processor_seconds([&] { work(size); }));
    large = std::min(large, processor_seconds([&] { work(4 * size); }));
  }
  return large / small;
}

}  // namespace niah
