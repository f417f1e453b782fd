#include "harness/cli/pair_options.h"

#include <set>

#include "harness/base/error.h"
#include "harness/base/progress.h"
#include "harness/cli/command.h"
#include "models/checkpoint/adapter_beside.h"

namespace niah {

models::CheckpointPath PairArguments::after() const {
  if (post.empty() && adapter.empty())
    throw UsageError(
        "--post is required: the checkpoint after the fine-tune (or --adapter: a PEFT adapter on "
        "top of --pre)");
  return {post.empty() ? pre : post, adapter};
}

void PairArguments::warn_of_adapters_beside() const {
  for (const models::CheckpointPath& path : std::set{before(), after()})
    if (const std::string warning = models::adapter_beside(path); !warning.empty())
      print_warning(warning);
}

void add_pair_options(CLI::App& command, PairArguments& arguments, bool is_optional) {
  command.add_option("--pre", arguments.pre, "Checkpoint folder before the fine-tune")
      ->type_name(kFolderValue)
      ->required(!is_optional);
  command
      .add_option(
          "--post", arguments.post,
          "Checkpoint folder after the fine-tune; with --adapter the folder that the adapter "
          "is on top of (default: --pre)")
      ->type_name(kFolderValue);
  command
      .add_option("--adapter", arguments.adapter,
                  "PEFT adapter folder: the fine-tune is this adapter on top of --post")
      ->type_name(kFolderValue);
  command
      .add_option("--pre-adapter", arguments.pre_adapter,
                  "PEFT adapter folder on top of --pre: both together are before the fine-tune")
      ->type_name(kFolderValue);
}

void add_adapter_option(CLI::App& command, std::string& adapter) {
  command.add_option("--adapter", adapter, "PEFT adapter folder, on top of the checkpoint")
      ->type_name(kFolderValue);
}

}  // namespace niah
