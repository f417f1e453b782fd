// Randomly damaged copies of a text; the same seed gives the same copies.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace niah {

/// `text` with one to four edits: a byte changed, up to `most_erased` bytes removed, one of
/// `pieces` inserted, or a part of the text repeated.
inline std::string with_edits(std::string text, std::mt19937& random,
                              const std::vector<std::string>& pieces, std::size_t most_erased) {
  for (auto edits = 1 + random() % 4; edits > 0 && !text.empty(); --edits) {
    const std::size_t at = random() % text.size();
    switch (random() % 4) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, 1 + random() % most_erased);
        break;
      case 2:
        text.insert(at, pieces[random() % pieces.size()]);
        break;
      default:
        text.insert(at, text.substr(random() % text.size(), random() % 40));
        break;
    }
  }
  return text;
}

}  // namespace niah
