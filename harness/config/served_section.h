// The mapping `served` of a sweep: where a served model is, and how it is asked.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "harness/config/served.h"
#include "harness/config/yaml.h"

namespace niah {

/// Reads the section and normalises its URL: scheme and host in lower case, no default port, no
/// trailing slash. Throws UsageError for what is unknown, ill-typed or out of range, and for
/// anything that may be a key or a password, because plan.json gets passed around; such a value is
/// not shown.
ServedConfig read_served(YamlMap map);

/// The section as plan.json keeps it; read_served reads it back unchanged.
nlohmann::ordered_json served_json(const ServedConfig& served);

/// Everything that decides which model answers, and what it is asked: "http://localhost:8000/v1,
/// model m, completions", then the settings that differ from their defaults. Without settings of
/// pace, such as concurrency.
std::string served_text(const ServedConfig& served);

}  // namespace niah
