// How the work for an input grows with its size, in processor time: nobody else's load counts.
#pragma once

#include <algorithm>
#include <ctime>
#include <limits>

namespace niah {

/// Processor seconds that `work` takes in this thread.
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

/// How many times as long `work(4 * size)` takes as `work(size)`: about 4 where the work is linear,
/// 16 where it is quadratic. The best of seven, since caches and page faults only ever add.
template <typename Work>
double growth_times_four(std::size_t size, const Work& work) {
  double small = std::numeric_limits<double>::max(), large = small;
  for (int round = 0; round < 7; ++round) {
    small = std::min(small, processor_seconds([&] { work(size); }));
    large = std::min(large, processor_seconds([&] { work(4 * size); }));
  }
  return large / small;
}

/// Between linear and quadratic, with room for caches that no longer hold the larger input: 9 was
/// seen for the merges of a word of a million bytes, whose work grows with n log n.
inline constexpr double kMostLinearGrowth = 11;

}  // namespace niah
