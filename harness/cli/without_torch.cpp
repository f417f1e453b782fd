// Takes the place of the commands that need libtorch, in a build without it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/base/output.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/cli/checkpoint_info.h"
#include "harness/cli/command.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/pair_options.h"

namespace niah {
namespace {

/// Adds the command to --help. Called with any arguments, it fails before they are parsed and says
/// that libtorch is missing.
void add_unavailable(CLI::App& program, const CommandText& text) {
  CLI::App* command = program.add_subcommand(
      text.name, fmt::format("{} (needs libtorch: not in this program)", text.description));
  command->preparse_callback([name = text.name](std::size_t) {
    throw DataError(
        fmt::format("{} needs libtorch, and this program was built without it: build with "
                    "cmake --preset release",
                    name));
  });
}

/// Prints what the files' headers say. Which layers there are, what state they keep, and whether
/// the tensors match the config, only the architectures know, and those need libtorch.
ExitCode run_info(const models::CheckpointPath& path, const InfoOptions& options) {
  const models::Checkpoint checkpoint(path);
  if (options.json) {
    write_stdout(checkpoint_json(checkpoint, options.hash).dump(2) + "\n");
    return ExitCode::kOk;
  }
  const std::vector<std::string> names = checkpoint.tensor_names();
  std::int64_t values = 0;
  for (const std::string& name : names) values += checkpoint.find(name)->numel();
  print_out("{}\n", single_line(path.text()));
  print_out("  architecture   {} (by its config.json)\n", checkpoint.model_type());
  print_out("  tensors        {}, {} numbers in all\n", names.size(), format_count(values));
  print_storage(checkpoint);
  print_tokenizer(checkpoint);
  print_out("  layers         not looked at: this program was built without libtorch\n");
  print_left_out(checkpoint);
  print_weights_hash(checkpoint, options.hash);
  return ExitCode::kOk;
}

}  // namespace

void add_info_command(CLI::App& program, Command& chosen) {
  struct Arguments {
    std::string folder, adapter;
    InfoOptions options;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = add_command(program, kInfo);
  command->add_option("model", arguments->folder, "Checkpoint folder")
      ->type_name(kFolderValue)
      ->required();
  add_adapter_option(*command, arguments->adapter);
  add_info_options(*command, arguments->options);
  command->callback([arguments, &chosen] {
    chosen = [arguments] {
      return run_info({arguments->folder, arguments->adapter}, arguments->options);
    };
  });
}

void add_reproduce_command(CLI::App& program, Command&) { add_unavailable(program, kReproduce); }

void add_restore_command(CLI::App& program, Command&) { add_unavailable(program, kRestore); }

void add_diagnose_command(CLI::App& program, Command&) { add_unavailable(program, kDiagnose); }

void add_attribute_command(CLI::App& program, Command&) { add_unavailable(program, kAttribute); }

void add_replay_command(CLI::App& program, Command&) { add_unavailable(program, kReplay); }

void add_verify_command(CLI::App& program, Command&) { add_unavailable(program, kVerify); }

void add_selftest_command(CLI::App& program, Command&) { add_unavailable(program, kSelftest); }

void add_train_command(CLI::App& program, Command&) { add_unavailable(program, kTrain); }

}  // namespace niah
