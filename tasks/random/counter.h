// The random numbers of the `niah` protocol: each depends only on what it is for, never on what was
// drawn before for another sample.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace niah::tasks {

/// A stream of random numbers named by a text. Block b = 0, 1, ... of the stream is the SHA-256
/// digest of "name/b" (b in decimal), read as four big-endian 64-bit words. So any stream can be
/// computed again from its name alone.
class CounterRng {
 public:
  explicit CounterRng(std::string name) : name_(std::move(name)) {}

  /// The stream of one sample: "niah-1/seed/task/length/index".
  static CounterRng for_sample(std::uint64_t seed, std::string_view task, std::int64_t length,
                               std::int64_t index);
  /// The stream for what a cell's samples share: "niah-1/seed/task/length/cell".
  static CounterRng for_cell(std::uint64_t seed, std::string_view task, std::int64_t length);

  /// The next 64 bits.
  std::uint64_t next64();
  /// A number in [0, n), all equally likely; n >= 1. Takes the low bits that n - 1 needs from a
  /// word and draws again while they are n or more.
  std::uint64_t below(std::uint64_t n);
  /// A number from `low` to `high`, all equally likely; low <= high.
  std::int64_t between(std::int64_t low, std::int64_t high);
  /// `count` different numbers in [0, n), in the order drawn.
  std::vector<std::int64_t> distinct(std::int64_t count, std::int64_t n);
  /// A version-4 UUID: high word first.
  std::string uuid4();

 private:
  void refill();

  std::string name_;
  std::uint64_t block_ = 0;
  std::array<std::uint64_t, 4> words_{};
  std::size_t position_ = words_.size();
};

}  // namespace niah::tasks
