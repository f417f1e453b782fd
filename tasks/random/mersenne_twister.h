// MT19937 (Matsumoto and Nishimura, 1998), the generator that Python and numpy draw from.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace niah::tasks {

/// A stream of 32-bit words. A value: copies continue the stream on their own.
class MersenneTwister {
 public:
  /// init_genrand(): seeded by one word.
  explicit MersenneTwister(std::uint32_t seed);
  /// init_by_array(): seeded by any number of words, at least one.
  explicit MersenneTwister(const std::vector<std::uint32_t>& key);

  /// The next 32 bits.
  std::uint32_t next32();

 private:
  static constexpr std::size_t kStateSize = 624;

  void refill();

  std::array<std::uint32_t, kStateSize> state_{};
  std::size_t position_ = kStateSize;
};

}  // namespace niah::tasks
