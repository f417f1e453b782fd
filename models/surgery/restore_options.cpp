#include "models/surgery/restore_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/numbers.h"
#include "harness/base/text.h"

namespace niah::models {
namespace {

constexpr std::array<std::pair<RestoreMethod, const char*>, 6> kMethods = {{
    {RestoreMethod::kQk, "qk"},
    {RestoreMethod::kQkPro, "qk-pro"},
    {RestoreMethod::kQkProExact, "qk-pro-exact"},
    {RestoreMethod::kQ, "q"},
    {RestoreMethod::kK, "k"},
    {RestoreMethod::kV, "v"},
}};

}  // namespace

std::vector<std::string> restore_method_names() {
  std::vector<std::string> names;
  for (const auto& [method, text] : kMethods) names.emplace_back(text);
  return names;
}

RestoreMethod parse_restore_method(const std::string& name) {
  for (const auto& [method, text] : kMethods)
    if (name == text) return method;
  const std::vector<std::string> known = restore_method_names();
  throw UsageError(fmt::format("'{}' is not a restore method ({}){}", name, fmt::join(known, ", "),
                               did_you_mean(name, known)));
}

std::string restore_method_name(RestoreMethod method) {
  for (const auto& [known, text] : kMethods)
    if (known == method) return text;
  throw std::logic_error("unknown restore method");
}

std::vector<std::int64_t> parse_layers(const std::string& text) {
  constexpr std::int64_t kLast = 9999;  // more layers than any model has, few enough for a set
  const auto number = [&](std::string_view part) {
    const auto value = parse_integer(part, {0, kLast});
    if (!value)
      throw UsageError(
          fmt::format("layers '{}': a list such as 2,5-8 of numbers from 0 to {} was "
                      "expected",
                      single_line(cut_short(text, 80)), kLast));
    return *value;
  };
  std::set<std::int64_t> layers;  // ranges may overlap
  for (std::size_t begin = 0, end; begin <= text.size(); begin = end + 1) {
    end = std::min(text.find(',', begin), text.size());
    const std::string_view part = std::string_view(text).substr(begin, end - begin);
    const std::size_t dash = part.find('-');
    const std::int64_t first = number(part.substr(0, dash));
    const std::int64_t last = dash == part.npos ? first : number(part.substr(dash + 1));
    if (last < first) number("");
    for (std::int64_t i = first; i <= last; ++i) layers.insert(i);
  }
  return {layers.begin(), layers.end()};
}

}  // namespace niah::models
