// Ids of words that were encoded before: text repeats its words, so most of the work is a look-up.
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

/// A bounded map from words to their ids. Entries are never changed or removed, so a reader needs
/// no lock and its span stays good as long as the cache; when the space is used up new words are
/// simply not kept. Safe from any number of threads.
class WordCache {
 public:
  /// Room for `capacity` bytes of words and ids. The memory is touched only as it fills.
  explicit WordCache(std::size_t capacity = std::size_t{16} << 20);

  /// A word with its hash, computed once for find and insert.
  struct Key {
    std::string_view word;
    std::uint64_t hash;
  };
  static Key key(std::string_view word);

  /// The word's ids, or nullopt when it is not known.
  std::optional<std::span<const TokenId>> find(const Key& key) const;

  /// Keeps the word's ids if there is room and the word is not longer than kMaxWordBytes.
  void insert(const Key& key, std::span<const TokenId> ids);

  /// Longer words are rare and do not come back: they would only use up the room.
  static constexpr std::size_t kMaxWordBytes = 256;

 private:
  struct Header {
    std::uint32_t word_bytes;
    std::uint32_t id_count;
  };
  const Header* entry(std::uint64_t slot) const;
  std::size_t first_slot(const Key& key) const;

  // A slot is 0 when free, else the upper half of the hash and the entry's place in the arena,
  // counted from one in units of kUnit bytes.
  static constexpr std::size_t kUnit = 8;
  std::size_t slot_count_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> slots_;
  std::size_t arena_units_;
  std::unique_ptr<std::byte[]> arena_;
  std::size_t used_units_ = 0;
  std::mutex writing_;
};

}  // namespace niah::models
