// Changes to a sweep from the command line.
#pragma once

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace niah {

/// The `--set key.path=value` options: pairs of path and value.
using Overrides = std::vector<std::pair<std::string, std::string>>;

/// Splits "key.path=value". Throws UsageError.
std::pair<std::string, std::string> parse_override(const std::string& text);

/// parse_override of each text.
Overrides parse_overrides(const std::vector<std::string>& texts);

/// Sets the value at a path ("models.0.base") of a config. Returns the path as errors name it:
/// models[0].base. Throws UsageError.
std::string apply_override(const YAML::Node& root, const std::string& path,
                           const std::string& value);

/// "field=value" as an override of config.json: the value is read as YAML (500 is a number, hype
/// 500 a string). Throws UsageError.
void add_config_override(nlohmann::json& override, const std::string& text);

}  // namespace niah
