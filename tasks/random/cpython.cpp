#include "tasks/random/cpython.h"

#include <bit>
#include <unordered_set>

#include "harness/base/error.h"
#include "tasks/random/uuid.h"

namespace niah::tasks {
namespace {

/// Populations up to this size are sampled from a pool; for larger ones, positions that were
/// already chosen are drawn again (random.sample's own rule).
std::size_t pool_limit(std::size_t count) {
  std::size_t limit = 21;
  if (count <= 5) return limit;
  std::size_t power = 1;
  while (power < 3 * count) power *= 4;
  return limit + power;
}

/// The number in 32-bit words, the lowest first.
std::vector<std::uint32_t> words_of(std::uint64_t number) {
  std::vector<std::uint32_t> words{static_cast<std::uint32_t>(number)};
  if (number >> 32) words.push_back(static_cast<std::uint32_t>(number >> 32));
  return words;
}

}  // namespace

CPythonRandom::CPythonRandom(std::uint64_t seed) : words_(words_of(seed)) {}

CPythonRandom::CPythonRandom(const std::vector<std::uint32_t>& magnitude) : words_(magnitude) {}

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

double CPythonRandom::unit() {
  const std::uint64_t high = next32() >> 5;  // 27 bits
  const std::uint64_t low = next32() >> 6;   // 26 bits
  return static_cast<double>((high << 26) | low) / static_cast<double>(std::uint64_t{1} << 53);
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

std::string CPythonRandom::letters(char first, int letters, int count) {
  std::string word;
  for (int i = 0; i < count; ++i) {
    word += static_cast<char>(first + static_cast<int>(unit() * letters));
  }
  return word;
}

std::string CPythonRandom::uuid4() {
  const auto words = long_bits(128);
  return format_uuid4((std::uint64_t{words[3]} << 32) | words[2],
                      (std::uint64_t{words[1]} << 32) | words[0]);
}

}  // namespace niah::tasks
