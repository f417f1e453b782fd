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

constexpr std::array<std::pair<RestoreMethod, const char*>, 7> kMethods = {{
    {RestoreMethod::kQk, "qk"},
    {RestoreMethod::kQkPro, "qk-pro"},
    {RestoreMethod::kQkProExact, "qk-pro-exact"},
    {RestoreMethod::kQ, "q"},
    {RestoreMethod::kK, "k"},
    {RestoreMethod::kV, "v"},
    {RestoreMethod::kParts, "parts"},
}};

constexpr std::array<std::pair<WeightPart, const char*>, 12> kParts = {{
    {WeightPart::kQuery, "q"},
    {WeightPart::kKey, "k"},
    {WeightPart::kValue, "v"},
    {WeightPart::kOutput, "o"},
    {WeightPart::kGate, "gate"},
    {WeightPart::kNorms, "norms"},
    {WeightPart::kLinear, "linear"},
    {WeightPart::kConvolutions, "conv"},
    {WeightPart::kMlp, "mlp"},
    {WeightPart::kExperts, "experts"},
    {WeightPart::kEmbedding, "embedding"},
    {WeightPart::kHead, "head"},
}};

template <class Names>
std::vector<std::string> names_of(const Names& all) {
  std::vector<std::string> names;
  for (const auto& [value, text] : all) names.emplace_back(text);
  return names;
}

/// The value called `name`; `kind` says in the error what it is not.
template <class Names>
auto parse_name(const Names& all, const std::string& name, const char* kind) {
  for (const auto& [value, text] : all)
    if (name == text) return value;
  const std::vector<std::string> known = names_of(all);
  throw UsageError(fmt::format("'{}' is not {} ({}){}", name, kind, fmt::join(known, ", "),
                               did_you_mean(name, known)));
}

template <class Names, class Value>
std::string name_in(const Names& all, Value value) {
  for (const auto& [known, text] : all)
    if (known == value) return text;
  throw std::logic_error("a value without a name");
}

}  // namespace

std::vector<std::string> restore_method_names() { return names_of(kMethods); }

RestoreMethod parse_restore_method(const std::string& name) {
  return parse_name(kMethods, name, "a restore method");
}

std::string restore_method_name(RestoreMethod method) { return name_in(kMethods, method); }

std::vector<std::string> weight_part_names() { return names_of(kParts); }

WeightPart parse_weight_part(const std::string& name) {
  return parse_name(kParts, name, "a part of the weights");
}

std::set<WeightPart> parse_weight_parts(const std::vector<std::string>& names) {
  std::set<WeightPart> parts;
  for (const std::string& name : names) parts.insert(parse_weight_part(name));
  return parts;
}

std::string weight_part_name(WeightPart part) { return name_in(kParts, part); }

std::string parts_in_words(const RestoreOptions& options) {
  std::vector<std::string> names;
  for (const WeightPart part : options.parts) names.push_back(weight_part_name(part));
  return fmt::format("{}{}", options.complement ? "all but " : "parts ", fmt::join(names, ", "));
}

std::vector<std::int64_t> parse_layers(const std::string& text) {
  constexpr std::int64_t kLast = 9999;  // more layers than any model has
  const auto number = [&](std::string_view part) {
    const auto value = parse_integer(part, {0, kLast});
    if (!value)
      throw UsageError(
          fmt::format("layers '{}': a list such as 2,5-8 of numbers from 0 to {} was "
                      "expected",
                      single_line(cut_short(text, 80)), kLast));
    return *value;
  };
  // Ranges may overlap, and there may be many: by how many more (or fewer) of them each layer is
  // covered than the one before it.
  std::vector<std::int64_t> steps(kLast + 2);
  for (std::size_t begin = 0, end; begin <= text.size(); begin = end + 1) {
    end = std::min(text.find(',', begin), text.size());
    const std::string_view part = std::string_view(text).substr(begin, end - begin);
    const std::size_t dash = part.find('-');
    const std::int64_t first = number(part.substr(0, dash));
    const std::int64_t last = dash == part.npos ? first : number(part.substr(dash + 1));
    if (last < first) number("");
    ++steps[static_cast<std::size_t>(first)];
    --steps[static_cast<std::size_t>(last + 1)];
  }
  std::vector<std::int64_t> layers;
  std::int64_t covering = 0;
  for (std::int64_t layer = 0; layer <= kLast; ++layer) {
    covering += steps[static_cast<std::size_t>(layer)];
    if (covering > 0) layers.push_back(layer);
  }
  return layers;
}

}  // namespace niah::models
