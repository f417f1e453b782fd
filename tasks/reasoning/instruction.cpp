#include "tasks/reasoning/instruction.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "tasks/needle/keys.h"

namespace niah::tasks {
namespace {

/// Different keys, in the order drawn.
std::vector<std::string> random_words(CounterRng& rng, std::int64_t count) {
  const KeyList& keys = KeyList::instance();
  std::vector<std::string> words;
  for (const std::int64_t index : rng.distinct(count, keys.size())) words.push_back(keys.at(index));
  return words;
}

Instruction lookup(CounterRng& rng) {
  const bool codes = rng.below(2) == 0;
  const auto value = [&] {
    return codes ? rng.uuid4().substr(0, 8) : fmt::format("{}", rng.between(1'000'000, 9'999'999));
  };
  const std::vector<std::string> keys = random_words(rng, rng.between(2, 4));
  std::vector<std::string> values, lines;
  for (const std::string& key : keys) {
    values.push_back(value());
    lines.push_back(fmt::format("{}: {}", key, values.back()));
  }
  const std::size_t asked = rng.below(keys.size());
  return {fmt::format("{}\nQuestion: What is the {} of {}?\nAnswer:", fmt::join(lines, "\n"),
                      codes ? "code" : "number", keys[asked]),
          fmt::format(" {}.", values[asked])};
}

Instruction about_words(CounterRng& rng) {
  std::vector<std::string> words = random_words(rng, rng.between(2, 6));
  const std::string list = fmt::format("{}", fmt::join(words, ", "));
  const auto ask = [&](const std::string& what) {
    return fmt::format("Words: {}.\nQuestion: {}\nAnswer:", list, what);
  };
  switch (rng.below(4)) {
    case 0:
      return {ask("What are the words?"), fmt::format(" {}.", list)};
    case 1:
      std::reverse(words.begin(), words.end());
      return {ask("What are the words in reverse order?"),
              fmt::format(" {}.", fmt::join(words, ", "))};
    case 2:
      return {ask("How many words are there?"), fmt::format(" {}.", words.size())};
    default:
      const std::size_t at = rng.below(words.size() - 1);
      return {ask(fmt::format("Which word comes after {}?", words[at])),
              fmt::format(" {}.", words[at + 1])};
  }
}

}  // namespace

Instruction make_instruction(CounterRng& rng) {
  return rng.below(2) == 0 ? lookup(rng) : about_words(rng);
}

}  // namespace niah::tasks
