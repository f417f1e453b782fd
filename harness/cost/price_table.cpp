#include "harness/cost/price_table.h"

#include <unistd.h>

#include "harness/base/output.h"
#include "harness/base/text.h"
#include "reports/format.h"

namespace niah {

std::string shown_variants(const std::string& name) {
  constexpr std::size_t kMost = 40;
  return reports::shorten(single_line(name), kMost);
}

std::string price_table(const reports::Table& table) {
  constexpr std::size_t kKeys = 2;
  return reports::terminal(table, columns_of(STDOUT_FILENO).value_or(reports::kColumns), kKeys);
}

}  // namespace niah
