#include "models/tokenizer/charsmap.h"

#include <cstdint>
#include <cstring>
#include <vector>

namespace niah::models {
namespace {

constexpr std::size_t kUnitBytes = sizeof(std::uint32_t);

/// One unit of a Darts-clone double array.
struct Unit {
  std::uint32_t bits;
  bool is_value() const { return (bits >> 31) != 0; }
  bool has_value() const { return (bits >> 8 & 1) != 0; }
  std::uint32_t value() const { return bits & 0x7FFFFFFFu; }
  std::size_t offset() const {
    return static_cast<std::size_t>(bits >> 10) << ((bits & 0x200) >> 6);
  }
};

std::uint32_t load(std::string_view bytes, std::size_t at) {
  std::uint32_t out;
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}

}  // namespace

bool is_sound_charsmap(std::string_view bytes) {
  if (bytes.size() < kUnitBytes) return false;
  const std::size_t trie_bytes = load(bytes, 0);
  const std::string_view rest = bytes.substr(kUnitBytes);
  if (trie_bytes == 0 || trie_bytes % kUnitBytes != 0 || trie_bytes >= rest.size()) return false;
  const std::string_view replacements = rest.substr(trie_bytes);
  if (replacements.back() != '\0') return false;

  std::vector<Unit> units(trie_bytes / kUnitBytes);
  std::memcpy(units.data(), rest.data(), trie_bytes);
  for (std::size_t at = 0; at < units.size(); ++at) {
    if (units[at].is_value()) continue;
    // From here a lookup goes to children ^ byte, for any byte of a text.
    const std::size_t children = at ^ units[at].offset();
    if ((children | 0xFF) >= units.size()) return false;
    if (units[at].has_value() && units[children].value() >= replacements.size()) return false;
  }
  return true;
}

}  // namespace niah::models
