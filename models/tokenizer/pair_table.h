// The merges of a BPE model: a table from pairs of ids to the merged id.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// A hash map from pairs of ids to merges, made for fast lookups: open addressing in a flat array.
class PairTable {
 public:
  struct Merge {
    std::int32_t rank = kNone;  ///< lower ranks merge first
    TokenId id = 0;
    static constexpr std::int32_t kNone = INT32_MAX;
    bool exists() const { return rank != kNone; }
  };

  /// An empty table with room for `count` merges.
  explicit PairTable(std::size_t count = 0) : slots_(std::bit_ceil(2 * count + 2)) {}

  /// Sets the merge of (left, right); replaces an earlier one.
  void set(TokenId left, TokenId right, Merge merge) {
    Slot& slot = slots_[place(key(left, right))];
    slot = {key(left, right), merge};
  }

  /// The merge of (left, right); exists() is false if there is none.
  Merge find(TokenId left, TokenId right) const { return slots_[place(key(left, right))].merge; }

 private:
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t key = kFree;
    Merge merge;
  };

  static std::uint64_t key(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  }

  /// The slot of the key, or the free slot where it would be inserted.
  std::size_t place(std::uint64_t key) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = (key * 0x9E3779B97F4A7C15u >> 20) & mask;
    while (slots_[at].key != key && slots_[at].key != kFree) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_;
};

}  // namespace niah::models
