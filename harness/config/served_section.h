// The mapping `served` of a sweep: where a served model is, and how it is asked.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "harness/config/served.h"
#include "harness/config/yaml.h"

namespace niah {

/// Reads it, the URL in its plain form: scheme and host in small letters, no port that goes without
/// saying, no slash at the end. Throws UsageError for what is unknown, ill-typed or out of range,
/// and for whatever may be a key or a password: the plan is a file that people hand on. Such a
/// value is not shown.
ServedConfig read_served(YamlMap map);

/// What the plan keeps of it; read_served reads it again as the same.
nlohmann::ordered_json served_json(const ServedConfig& served);

/// All that decides which model answers, and to what: "http://localhost:8000/v1, model m,
/// completions", and what else is not as by default. Not its pace.
std::string served_text(const ServedConfig& served);

}  // namespace niah
