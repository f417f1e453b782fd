// numpy's legacy generator, number for number.
#pragma once

#include <cstdint>

#include "tasks/random/mersenne_twister.h"

namespace niah::tasks {

/// numpy.random after numpy.random.seed(seed), which takes no larger seed. A value: copies continue
/// the stream on their own.
class NumpyRandom {
 public:
  explicit NumpyRandom(std::uint32_t seed) : words_(seed) {}

  /// numpy.random.randint(low, high): low included, high not; a range of less than 2^32 numbers.
  std::int64_t randint(std::int64_t low, std::int64_t high);

 private:
  MersenneTwister words_;
};

}  // namespace niah::tasks
