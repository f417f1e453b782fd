#include "tasks/needle/tokens.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "tasks/needle/keys.h"

namespace niah::tasks {

std::string draw_token(CounterRng& random, ValueType kind, KeyShare share) {
  switch (kind) {
    case ValueType::kUuid:
      return random.uuid4();
    case ValueType::kNumber:
      return std::to_string(1'000'000 + random.below(9'000'000));
    case ValueType::kWords:
      break;
  }
  const auto& keys = KeyList::instance();
  const auto pairs = static_cast<std::uint64_t>(keys.size()) / 2;
  return keys.at(static_cast<std::int64_t>(2 * random.below(pairs)) + static_cast<int>(share));
}

std::vector<std::string> draw_tokens(CounterRng& random, ValueType kind, int count) {
  std::vector<std::string> tokens;
  while (static_cast<int>(tokens.size()) < count) {
    auto token = draw_token(random, kind, KeyShare::kNeedles);
    if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) {
      tokens.push_back(std::move(token));
    }
  }
  return tokens;
}

}  // namespace niah::tasks
