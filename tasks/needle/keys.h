// The keys of the needles: every adjective-noun pair of wonderwords 3.0.1, sorted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace niah::tasks {

/// The sorted list of all distinct "adjective-noun" keys (by code point, as CPython sorts), without
/// holding its six million entries.
class KeyList {
 public:
  static const KeyList& instance();

  /// Number of keys: 6,171,620.
  std::int64_t size() const { return size_; }
  /// Key `index` of the sorted list; 0 <= index < size().
  std::string at(std::int64_t index) const;

 private:
  /// A pair of positions in adjectives_ and nouns_.
  struct Pair {
    std::uint16_t adjective = 0;
    std::uint16_t noun = 0;
  };
  /// Adjectives whose keys are next to each other in the list. Keys of several adjectives mix only
  /// when one adjective is the start of another ("wide-eyed", "wide-x", "wide-eyed-x"). Then
  /// `order` lists the keys; else it is empty, and the keys are the adjective with every noun, in
  /// order.
  struct Block {
    std::int64_t first = 0;  ///< index of its first key
    std::uint16_t adjective = 0;
    std::vector<Pair> order;
  };

  KeyList();
  std::string key(Pair pair) const;
  std::vector<Pair> merged_order(std::size_t first, std::size_t last) const;

  std::vector<std::string_view> adjectives_;
  std::vector<std::string_view> nouns_;
  std::vector<Block> blocks_;
  std::int64_t size_ = 0;
};

}  // namespace niah::tasks
