#include "tasks/haystack/punkt_parameters.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "harness/base/error.h"
#include "tasks/data/embedded.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

std::pair<std::string_view, std::string_view> split_at_tab(std::string_view line) {
  const std::size_t tab = line.find('\t');
  check(tab != line.npos, "a line of the embedded Punkt data has no TAB");
  return {line.substr(0, tab), line.substr(tab + 1)};
}

int parse_flags(std::string_view digits) {
  int flags = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), flags);
  check(error == std::errc() && end == digits.data() + digits.size(),
        "a flag of the embedded Punkt data is no number");
  return flags;
}

}  // namespace

PunktParameters::PunktParameters() {
  for (const auto line : split_lines(data::punkt_abbreviations())) abbreviations_.insert(line);
  for (const auto line : split_lines(data::punkt_sentence_starters())) starters_.insert(line);
  for (const auto line : split_lines(data::punkt_collocations())) {
    collocations_.insert(split_at_tab(line));
  }
  for (const auto line : split_lines(data::punkt_orthographic_context())) {
    const auto [word, flags] = split_at_tab(line);
    context_.emplace(word, parse_flags(flags));
  }
}

const PunktParameters& PunktParameters::english() {
  static const PunktParameters parameters;
  return parameters;
}

bool PunktParameters::is_collocation(std::string_view first, std::string_view second) const {
  const auto [begin, end] = collocations_.equal_range(first);
  return std::any_of(begin, end, [&](const auto& pair) { return pair.second == second; });
}

int PunktParameters::orthographic_context(std::string_view word) const {
  const auto found = context_.find(word);
  return found == context_.end() ? 0 : found->second;
}

}  // namespace niah::tasks
