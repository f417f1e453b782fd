// One YAML document as a tree, before anything is asked of it.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>

namespace niah {

/// "file:line:column" of a place in the file; the file alone where the place is not known.
std::string yaml_place(const std::string& file, const YAML::Mark& mark);

/// The only document of `text`. Throws UsageError where a second one follows and for what is no
/// text in UTF-8, and YAML::Exception for what is not YAML.
YAML::Node parse_document(std::string_view text, const std::string& file);

/// Throws UsageError, with the place, for what the same text could mean two things by (keys given
/// twice, merge keys, keys that are no words) and for what is nested or repeated beyond all use.
void check_tree(const YAML::Node& root, const std::string& file);

}  // namespace niah
