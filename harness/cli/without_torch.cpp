// Takes the place of the commands that need libtorch, in a build without it.
#include <fmt/format.h>

#include "harness/cli/command.h"
#include "harness/cli/model_commands.h"

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

}  // namespace

void add_reproduce_command(CLI::App& program, Command&) { add_unavailable(program, kReproduce); }

void add_diagnose_command(CLI::App& program, Command&) { add_unavailable(program, kDiagnose); }

void add_attribute_command(CLI::App& program, Command&) { add_unavailable(program, kAttribute); }

void add_replay_command(CLI::App& program, Command&) { add_unavailable(program, kReplay); }

void add_verify_command(CLI::App& program, Command&) { add_unavailable(program, kVerify); }

void add_selftest_command(CLI::App& program, Command&) { add_unavailable(program, kSelftest); }

void add_train_command(CLI::App& program, Command&) { add_unavailable(program, kTrain); }

}  // namespace niah
