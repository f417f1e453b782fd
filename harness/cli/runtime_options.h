// Options of the commands that run one model.
#pragma once

#include <memory>
#include <string>

#include "harness/cli/model_options.h"
#include "models/causal_lm.h"

namespace niah {

/// The options' values.
struct RuntimeArguments : ModelArguments {
  std::string dtype = "fp32";
  std::string device = "cpu";

  /// Throws UsageError for another `dtype` than fp32 and bf16.
  at::ScalarType scalar_type() const;
  /// Loads the model onto the device. Warns of an adapter in its folder that is not applied. Throws
  /// what models::load_model and models::find_device throw.
  std::shared_ptr<models::CausalLM> load() const;
};

/// Adds --dtype and --device to those of add_model_options().
void add_runtime_options(CLI::App& command, RuntimeArguments& arguments);

}  // namespace niah
