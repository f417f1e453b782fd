#include "harness/config/overrides.h"

#include <fmt/format.h>

#include "harness/base/error.h"
#include "harness/base/numbers.h"
#include "harness/base/text.h"
#include "harness/config/yaml.h"

namespace niah {
namespace {

/// The node one step down --set's path: a key of a mapping, which need not exist yet, or the index
/// of an element.
YAML::Node step_into(YAML::Node node, const std::string& step, const std::string& path) {
  if (!node.IsSequence()) {
    if (node.IsScalar())
      throw UsageError(fmt::format("--set {}: there is nothing in '{}' to be called '{}'", path,
                                   valid_utf8(node.Scalar()), step));
    return node[step];
  }
  for (std::size_t i = 0; i < node.size(); ++i)
    if (step == std::to_string(i)) return node[i];
  throw UsageError(
      fmt::format("--set {}: '{}': the number of an element was expected, and the list has {}",
                  path, step, node.size() == 0 ? "none" : fmt::format("0 to {}", node.size() - 1)));
}

/// What is before and after the first "=" of `text`, the value of `option`.
std::pair<std::string, std::string> split_at_equals(const std::string& text, const char* option,
                                                    const char* expected) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(
        fmt::format("{} '{}': expected {}", option, single_line(cut_short(text, 80)), expected));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace

std::pair<std::string, std::string> parse_override(const std::string& text) {
  return split_at_equals(text, "--set", "key.path=value");
}

std::string apply_override(const YAML::Node& root, const std::string& path,
                           const std::string& value) {
  YAML::Node node = root;
  std::string named;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string step = path.substr(begin, end - begin);
    named += node.IsSequence() ? fmt::format("[{}]", step)
                               : fmt::format("{}{}", named.empty() ? "" : ".", step);
    node.reset(step_into(node, step, path));
    begin = end + 1;
  }
  node = parse_yaml_value(value, "--set " + path);
  return named;
}

Overrides parse_overrides(const std::vector<std::string>& texts) {
  Overrides overrides;
  for (const std::string& text : texts) overrides.push_back(parse_override(text));
  return overrides;
}

void add_config_override(nlohmann::json& override, const std::string& text) {
  const auto [field, value] = split_at_equals(text, "--override", "field=value");
  override[field] = yaml_to_json(parse_yaml_value(value, "--override " + single_line(field)));
}

}  // namespace niah
