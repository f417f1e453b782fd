#include "tasks/random/mersenne_twister.h"

#include <algorithm>

#include "harness/base/error.h"

namespace niah::tasks {
namespace {

constexpr std::size_t kShift = 397;  // the middle word of the recurrence
constexpr std::uint32_t kMatrix = 0x9908B0DF;
constexpr std::uint32_t kUpperMask = 0x80000000;
constexpr std::uint32_t kLowerMask = 0x7FFFFFFF;
constexpr std::uint32_t kArraySeed = 19650218;

}  // namespace

MersenneTwister::MersenneTwister(std::uint32_t seed) {
  state_[0] = seed;
  for (std::uint32_t i = 1; i < kStateSize; ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
}

MersenneTwister::MersenneTwister(const std::vector<std::uint32_t>& key)
    : MersenneTwister(kArraySeed) {
  check(!key.empty(), "a seed has at least one word");
  std::size_t i = 1;
  const auto advance = [this, &i] {
    if (++i < kStateSize) return;
    state_[0] = state_[kStateSize - 1];
    i = 1;
  };
  for (std::size_t step = 0; step < std::max(kStateSize, key.size()); ++step) {
    const std::size_t j = step % key.size();
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525U)) + key[j] +
                static_cast<std::uint32_t>(j);
    advance();
  }
  for (std::size_t step = 0; step < kStateSize - 1; ++step) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941U)) -
                static_cast<std::uint32_t>(i);
    advance();
  }
  state_[0] = kUpperMask;
}

void MersenneTwister::refill() {
  for (std::size_t i = 0; i < kStateSize; ++i) {
    const std::uint32_t y = (state_[i] & kUpperMask) | (state_[(i + 1) % kStateSize] & kLowerMask);
    state_[i] = state_[(i + kShift) % kStateSize] ^ (y >> 1) ^ ((y & 1) ? kMatrix : 0);
  }
  position_ = 0;
}

std::uint32_t MersenneTwister::next32() {
  if (position_ == kStateSize) refill();
  std::uint32_t y = state_[position_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9D2C5680;
  y ^= (y << 15) & 0xEFC60000;
  return y ^ (y >> 18);
}

}  // namespace niah::tasks
