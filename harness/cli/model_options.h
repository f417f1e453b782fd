// What the commands that open one checkpoint have in common.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "models/causal_lm.h"
#include "models/checkpoint/checkpoint_path.h"

namespace niah {

/// What every command that opens a checkpoint may be told about it.
struct ModelArguments {
  std::string folder, adapter;
  std::vector<std::string> overrides;
  std::string dtype = "fp32";
  std::string device = "cpu";

  models::CheckpointPath path() const { return {folder, adapter}; }
  /// The fields of config.json to replace. Throws UsageError.
  nlohmann::json override() const;
  /// Throws UsageError for another `dtype` than fp32 and bf16.
  at::ScalarType scalar_type() const;
  /// Warns of an adapter that is left out. Throws what models::load_model and models::find_device
  /// throw.
  std::shared_ptr<models::CausalLM> load() const;
};

/// The folder, --adapter and --override.
void add_model_options(CLI::App& command, ModelArguments& arguments);

/// --dtype and --device, for commands that compute with it.
void add_runtime_options(CLI::App& command, ModelArguments& arguments);

}  // namespace niah
