#include "harness/base/error.h"

#include <fmt/format.h>

namespace niah {

void check(bool condition, std::string_view what, std::source_location where) {
  if (condition) return;
  throw std::logic_error(
      fmt::format("internal error at {}:{}: {}", where.file_name(), where.line(), what));
}

}  // namespace niah
