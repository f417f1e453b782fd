// Options of the commands that open one checkpoint.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "models/checkpoint/checkpoint_path.h"

namespace niah {

/// The options' values.
struct ModelArguments {
  std::string folder, adapter;
  std::vector<std::string> overrides;

  models::CheckpointPath path() const { return {folder, adapter}; }
  /// The fields of config.json to replace. Throws UsageError.
  nlohmann::json override() const;
};

/// Adds the checkpoint's folder, --adapter and --override.
void add_model_options(CLI::App& command, ModelArguments& arguments);

}  // namespace niah
