#include "tasks/needle/keys.h"

#include <algorithm>

#include "harness/base/error.h"
#include "tasks/data/embedded.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

/// The distinct lines, sorted by byte, which is the order of UTF-8's code points. Some lines of the
/// packaged lists end in a space, which wonderwords strips.
std::vector<std::string_view> sorted_words(std::string_view lines) {
  auto words = split_lines(lines);
  for (std::string_view& word : words) word = word.substr(0, word.find_last_not_of(' ') + 1);
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

/// Whether keys of the two adjectives (in sorted order) can mix: the longer one continues with a
/// character that does not sort after the key's hyphen.
bool keys_mix(std::string_view adjective, std::string_view longer) {
  return longer.starts_with(adjective) && longer[adjective.size()] <= '-';
}

}  // namespace

KeyList::KeyList()
    : adjectives_(sorted_words(data::adjectives())), nouns_(sorted_words(data::nouns())) {
  for (std::size_t first = 0; first < adjectives_.size();) {
    std::size_t last = first + 1;
    while (last < adjectives_.size() && keys_mix(adjectives_[first], adjectives_[last])) ++last;
    Block block{size_, static_cast<std::uint16_t>(first), {}};
    if (last - first > 1) block.order = merged_order(first, last);
    blocks_.push_back(std::move(block));
    size_ += static_cast<std::int64_t>((last - first) * nouns_.size());
    first = last;
  }
}

const KeyList& KeyList::instance() {
  static const KeyList list;
  return list;
}

std::string KeyList::key(Pair pair) const {
  std::string key(adjectives_[pair.adjective]);
  key += '-';
  return key += nouns_[pair.noun];
}

std::vector<KeyList::Pair> KeyList::merged_order(std::size_t first, std::size_t last) const {
  std::vector<Pair> order;
  order.reserve((last - first) * nouns_.size());
  const auto before = [this](Pair a, Pair b) { return key(a) < key(b); };
  for (std::size_t adjective = first; adjective < last; ++adjective) {
    const auto middle = static_cast<std::ptrdiff_t>(order.size());
    for (std::size_t noun = 0; noun < nouns_.size(); ++noun) {
      order.push_back({static_cast<std::uint16_t>(adjective), static_cast<std::uint16_t>(noun)});
    }
    std::inplace_merge(order.begin(), order.begin() + middle, order.end(), before);
  }
  return order;
}

std::string KeyList::at(std::int64_t index) const {
  check(index >= 0 && index < size_, "a key's index is outside the list");
  const auto after =
      std::upper_bound(blocks_.begin(), blocks_.end(), index,
                       [](std::int64_t value, const Block& block) { return value < block.first; });
  const Block& block = *std::prev(after);
  const auto within = static_cast<std::size_t>(index - block.first);
  if (!block.order.empty()) return key(block.order[within]);
  return key({block.adjective, static_cast<std::uint16_t>(within)});
}

}  // namespace niah::tasks
