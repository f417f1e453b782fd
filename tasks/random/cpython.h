// CPython's `random` module, number for number: the stream that the reference programs draw from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tasks/random/mersenne_twister.h"

namespace niah::tasks {

/// random.Random: MT19937 with CPython's way of seeding it and of making numbers from it. A value:
/// copies continue the stream on their own.
class CPythonRandom {
 public:
  /// random.seed(int) for 0 <= seed < 2^64.
  explicit CPythonRandom(std::uint64_t seed);
  /// random.seed(int) of an integer of any size: its magnitude in 32-bit words, the lowest first.
  explicit CPythonRandom(const std::vector<std::uint32_t>& magnitude);

  /// getrandbits(32).
  std::uint32_t next32() { return words_.next32(); }
  /// getrandbits(bits), 1 <= bits <= 64.
  std::uint64_t bits(int bits);
  /// getrandbits(bits) of any size, in 32-bit words, the lowest first.
  std::vector<std::uint32_t> long_bits(int bits);
  /// A number in [0, n), as randrange(n) and choice() draw it; n >= 1.
  std::uint64_t below(std::uint64_t n);
  /// random(): a number in [0, 1).
  double unit();
  /// randint(low, high), both ends included.
  std::int64_t randint(std::int64_t low, std::int64_t high);
  /// The positions that sample(population, count) takes from a population of `n`.
  std::vector<std::size_t> sample(std::size_t n, std::size_t count);
  /// "".join(choices(letters, k=count)), where the letters are `letters` ones in a row from
  /// `first`.
  std::string letters(char first, int letters, int count);
  /// str(uuid.UUID(int=getrandbits(128), version=4)).
  std::string uuid4();

  /// shuffle(items).
  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i-- > 1;) std::swap(items[i], items[below(i + 1)]);
  }

 private:
  MersenneTwister words_;
};

}  // namespace niah::tasks
