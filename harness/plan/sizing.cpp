#include "harness/plan/sizing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "harness/base/units.h"

namespace niah {

tasks::ProtocolSpec protocol_spec(const std::string& protocol, std::uint64_t seed,
                                  std::shared_ptr<const tasks::Haystack> haystack,
                                  std::shared_ptr<const models::Tokenizer> tokenizer) {
  tasks::ProtocolSpec spec{protocol, seed, std::move(haystack), {}, false};
  spec.counts_add = tokenizer->counts_add_at_spaces();
  spec.count = [tokenizer = std::move(tokenizer)](std::string_view text) {
    return tokenizer->count_prompt(text);
  };
  return spec;
}

std::string cell_name(const std::string& task, std::int64_t length) {
  std::string name = task;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return fmt::format("{}@{}", name, format_length(length));
}

std::string short_cell_warning(const tasks::CellRequest& cell, const std::string& protocol,
                               std::int64_t real_length) {
  constexpr double kFarBelow = 0.9;
  const double share = static_cast<double>(real_length) / static_cast<double>(cell.length);
  if (share >= kFarBelow) return "";
  return fmt::format(
      "{}: samples of only {} tokens, {:.0f} % of {} (protocol {}: its text ended, or its steps "
      "are "
      "coarse)",
      cell_name(cell.task, cell.length), real_length, 100 * share, cell.length, protocol);
}

}  // namespace niah
