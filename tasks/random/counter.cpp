#include "tasks/random/counter.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "tasks/random/uuid.h"

namespace niah::tasks {

CounterRng CounterRng::for_sample(std::uint64_t seed, std::string_view task, std::int64_t length,
                                  std::int64_t index) {
  return CounterRng(fmt::format("niah-1/{}/{}/{}/{}", seed, task, length, index));
}

CounterRng CounterRng::for_cell(std::uint64_t seed, std::string_view task, std::int64_t length) {
  return CounterRng(fmt::format("niah-1/{}/{}/{}/cell", seed, task, length));
}

void CounterRng::refill() {
  constexpr std::size_t kHexDigits = 16;
  const std::string digest = sha256_hex(fmt::format("{}/{}", name_, block_++));
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const char* begin = digest.data() + i * kHexDigits;
    std::from_chars(begin, begin + kHexDigits, words_[i], 16);
  }
  position_ = 0;
}

std::uint64_t CounterRng::next64() {
  if (position_ == words_.size()) refill();
  return words_[position_++];
}

std::uint64_t CounterRng::below(std::uint64_t n) {
  check(n >= 1, "below() needs a range");
  const std::uint64_t mask = n == 1 ? 0 : ~std::uint64_t{0} >> std::countl_zero(n - 1);
  std::uint64_t drawn = next64() & mask;
  while (drawn >= n) drawn = next64() & mask;
  return drawn;
}

std::int64_t CounterRng::between(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low + 1)));
}

std::vector<std::int64_t> CounterRng::distinct(std::int64_t count, std::int64_t n) {
  check(count <= n, "there are not that many different numbers");
  std::vector<std::int64_t> drawn;
  while (static_cast<std::int64_t>(drawn.size()) < count) {
    const auto number = static_cast<std::int64_t>(below(static_cast<std::uint64_t>(n)));
    if (std::find(drawn.begin(), drawn.end(), number) == drawn.end()) drawn.push_back(number);
  }
  return drawn;
}

std::string CounterRng::uuid4() {
  const std::uint64_t high = next64();
  return format_uuid4(high, next64());
}

}  // namespace niah::tasks
