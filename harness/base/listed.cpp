#include "harness/base/listed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace niah {

std::string listed(const std::vector<std::string>& names) {
  if (names.size() < 2) return names.empty() ? "" : names.front();
  return fmt::format("{} and {}", fmt::join(names.begin(), names.end() - 1, ", "), names.back());
}

}  // namespace niah
