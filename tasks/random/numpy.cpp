#include "tasks/random/numpy.h"

#include <bit>
#include <limits>

#include "harness/base/error.h"

namespace niah::tasks {

std::int64_t NumpyRandom::randint(std::int64_t low, std::int64_t high) {
  check(low < high && high - low < std::numeric_limits<std::uint32_t>::max(),
        "randint() needs a range of less than 2^32 numbers");
  const auto largest = static_cast<std::uint32_t>(high - low - 1);
  if (largest == 0) return low;  // nothing is drawn
  const std::uint32_t mask = ~std::uint32_t{0} >> std::countl_zero(largest);
  std::uint32_t drawn = words_.next32() & mask;
  while (drawn > largest) drawn = words_.next32() & mask;
  return low + drawn;
}

}  // namespace niah::tasks
