#include "tasks/random/cpython.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "harness/base/error.h"
#include "tasks/random/uuid.h"

namespace niah::tasks {
namespace {

constexpr std::size_t kShift = 397;  // the middle word of MT19937's recurrence
constexpr std::uint32_t kMatrix = 0x9908B0DF;
constexpr std::uint32_t kUpperMask = 0x80000000;
constexpr std::uint32_t kLowerMask = 0x7FFFFFFF;
constexpr std::uint32_t kArraySeed = 19650218;

/// Populations up to this size are sampled from a pool; for larger ones, positions that were
/// already chosen are drawn again (random.sample's own rule).
std::size_t pool_limit(std::size_t count) {
  std::size_t limit = 21;
  if (count <= 5) return limit;
  std::size_t power = 1;
  while (power < 3 * count) power *= 4;
  return limit + power;
}

}  // namespace

CPythonRandom::CPythonRandom(std::uint64_t seed) {
  std::vector<std::uint32_t> key{static_cast<std::uint32_t>(seed)};
  if (seed >> 32) key.push_back(static_cast<std::uint32_t>(seed >> 32));
  seed_by_array(key);
}

CPythonRandom::CPythonRandom(const std::vector<std::uint32_t>& magnitude) {
  check(!magnitude.empty(), "a seed has at least one word");
  seed_by_array(magnitude);
}

void CPythonRandom::seed_by_array(const std::vector<std::uint32_t>& key) {
  state_[0] = kArraySeed;
  for (std::uint32_t i = 1; i < kStateSize; ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
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

void CPythonRandom::refill() {
  for (std::size_t i = 0; i < kStateSize; ++i) {
    const std::uint32_t y = (state_[i] & kUpperMask) | (state_[(i + 1) % kStateSize] & kLowerMask);
    state_[i] = state_[(i + kShift) % kStateSize] ^ (y >> 1) ^ ((y & 1) ? kMatrix : 0);
  }
  position_ = 0;
}

std::uint32_t CPythonRandom::next32() {
  if (position_ == kStateSize) refill();
  std::uint32_t y = state_[position_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9D2C5680;
  y ^= (y << 15) & 0xEFC60000;
  return y ^ (y >> 18);
}

std::uint64_t CPythonRandom::bits(int bits) {
  check(bits >= 1 && bits <= 64, "bits() gives 1 to 64 bits");
  if (bits <= 32) return next32() >> (32 - bits);
  const std::uint64_t low = next32();
  return low | (static_cast<std::uint64_t>(next32() >> (64 - bits)) << 32);
}

std::vector<std::uint32_t> CPythonRandom::long_bits(int bits) {
  std::vector<std::uint32_t> words;
  for (; bits > 0; bits -= 32) {
    words.push_back(bits >= 32 ? next32() : next32() >> (32 - bits));
  }
  return words;
}

std::uint64_t CPythonRandom::below(std::uint64_t n) {
  check(n >= 1, "below() needs a range");
  const auto width = static_cast<int>(std::bit_width(n));
  std::uint64_t drawn = bits(width);
  while (drawn >= n) drawn = bits(width);
  return drawn;
}

std::int64_t CPythonRandom::randint(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
}

std::vector<std::size_t> CPythonRandom::sample(std::size_t n, std::size_t count) {
  check(count <= n, "a sample is not larger than its population");
  std::vector<std::size_t> taken;
  taken.reserve(count);
  if (n <= pool_limit(count)) {
    std::vector<std::size_t> pool(n);
    for (std::size_t i = 0; i < n; ++i) pool[i] = i;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t j = below(n - i);
      taken.push_back(pool[j]);
      pool[j] = pool[n - i - 1];
    }
    return taken;
  }
  std::unordered_set<std::size_t> chosen;
  while (taken.size() < count) {
    const std::size_t j = below(n);
    if (chosen.insert(j).second) taken.push_back(j);
  }
  return taken;
}

std::string CPythonRandom::uuid4() {
  const auto words = long_bits(128);
  return format_uuid4((std::uint64_t{words[3]} << 32) | words[2],
                      (std::uint64_t{words[1]} << 32) | words[0]);
}

}  // namespace niah::tasks
