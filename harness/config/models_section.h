// The section `models` of a sweep: checkpoints and their variants.
#pragma once

#include <filesystem>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/config/yaml.h"

namespace niah {

/// All models of a sweep. Throws UsageError for what is unknown, ill-typed or contradictory, for
/// two models of the same name, and for identical variants.
std::vector<ModelConfig> read_models(YamlMap& root, const std::filesystem::path& base);

}  // namespace niah
