// Options of the commands that open one checkpoint.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "models/causal_lm.h"
#include "models/checkpoint/checkpoint_path.h"

namespace niah {

/// The options' values.
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
  /// Loads the model onto the device. Warns of an adapter in its folder that is not applied. Throws
  /// what models::load_model and models::find_device throw.
  std::shared_ptr<models::CausalLM> load() const;
};

/// Adds the checkpoint's folder, --adapter and --override.
void add_model_options(CLI::App& command, ModelArguments& arguments);

/// Adds --dtype and --device, for commands that run the model.
void add_runtime_options(CLI::App& command, ModelArguments& arguments);

}  // namespace niah
