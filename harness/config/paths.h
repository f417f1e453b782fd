// Paths as configs write them.
#pragma once

#include <filesystem>
#include <string>

#include "harness/config/yaml.h"

namespace niah {

/// A path in a config: a leading `~` is the home folder, `${NAME}` the environment variable; a
/// relative path is resolved against `base`. Throws UsageError for a variable that is not set.
std::filesystem::path resolve(const std::filesystem::path& base, const std::string& text);

/// The path that is the value of `key`. Throws UsageError with its place.
std::filesystem::path path_at(YamlMap& map, const std::string& key,
                              const std::filesystem::path& base);

}  // namespace niah
