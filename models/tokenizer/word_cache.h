// A cache of the ids of words: texts repeat their words, so most of the work becomes a lookup.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>

#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// A bounded map from words to their ids. Entries are never changed or removed, so readers need no
/// lock and spans remain valid as long as the cache. When it is full, new words are not stored.
/// Thread-safe.
class WordCache {
 public:
  /// `capacity`: bytes for words and ids. Memory is touched only as the cache fills.
  explicit WordCache(std::size_t capacity = std::size_t{16} << 20);

  /// A word with its hash, which is computed once for find and insert.
  struct Key {
    std::string_view word;
    std::uint64_t hash;
  };
  static Key key(std::string_view word);

  /// The word's ids, or nullopt if it is not in the cache.
  std::optional<std::span<const TokenId>> find(const Key& key) const;

  /// Stores the word's ids if there is room and the word is not longer than kMaxWordBytes.
  void insert(const Key& key, std::span<const TokenId> ids);

  /// Longer words are rare and hardly recur, so they would only waste space.
  static constexpr std::size_t kMaxWordBytes = 256;

 private:
  struct Header {
    std::uint32_t word_bytes;
    std::uint32_t id_count;
  };
  const Header* entry(std::uint64_t slot) const;
  std::size_t first_slot(const Key& key) const;

  // A slot is 0 if it is free. Otherwise its upper half is that of the hash, and its lower half the
  // position of the entry in the arena, in units of kUnit bytes and counted from one.
  static constexpr std::size_t kUnit = 8;
  std::size_t slot_count_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> slots_;
  std::size_t arena_units_;
  std::unique_ptr<std::byte[]> arena_;
  std::size_t used_units_ = 0;
  std::mutex writing_;
};

}  // namespace niah::models
