// The section `needle` of a sweep: tasks whose needles are the user's.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "harness/config/yaml.h"
#include "tasks/needle/own_needle.h"

namespace niah {

/// One needle, or a list of them; none where the section is absent. Files of keys and values are
/// read. Throws UsageError.
std::vector<tasks::OwnNeedle> read_needles(YamlMap& root, const std::filesystem::path& base);

/// The section as plan.json keeps it, files' lines written out; read_needles reads it back
/// unchanged.
nlohmann::ordered_json needles_json(const std::vector<tasks::OwnNeedle>& needles);

}  // namespace niah
