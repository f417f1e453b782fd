#include "harness/cli/model_options.h"

#include "harness/cli/pair_options.h"
#include "harness/config/overrides.h"

namespace niah {

nlohmann::json ModelArguments::override() const {
  nlohmann::json fields;
  for (const std::string& text : overrides) add_config_override(fields, text);
  return fields;
}

void add_model_options(CLI::App& command, ModelArguments& arguments) {
  command.add_option("model", arguments.folder, "Checkpoint folder")
      ->type_name(kFolderValue)
      ->required();
  add_adapter_option(command, arguments.adapter);
  add_repeated(command, "--override", arguments.overrides,
               "Change a field of its config.json for this command:"
               " --override \"attn_logits_scaling=hype 500\"");
}

}  // namespace niah
