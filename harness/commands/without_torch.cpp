// In place of the commands that need libtorch, where the program is built without it.
#include <fmt/format.h>

#include "harness/commands/commands.h"
#include "harness/commands/model_commands.h"

namespace niah {
namespace {

/// Lists the command, which answers any arguments with what is missing.
void add_unavailable(CLI::App& program, Command& chosen, const CommandText& text) {
  CLI::App* command = program.add_subcommand(
      text.name, fmt::format("{} (needs libtorch: not in this program)", text.description));
  command->set_help_flag();
  command->prefix_command();
  command->callback([name = text.name, &chosen] {
    chosen = [name]() -> ExitCode {
      throw DataError(
          fmt::format("{} needs libtorch, and this program was built without it: build with "
                      "cmake --preset release",
                      name));
    };
  });
}

}  // namespace

void add_reproduce_command(CLI::App& program, Command& chosen) {
  add_unavailable(program, chosen, kReproduce);
}

void add_run_command(CLI::App& program, Command& chosen) { add_unavailable(program, chosen, kRun); }

void add_restore_command(CLI::App& program, Command& chosen) {
  add_unavailable(program, chosen, kRestore);
}

void add_diagnose_command(CLI::App& program, Command& chosen) {
  add_unavailable(program, chosen, kDiagnose);
}

void add_replay_command(CLI::App& program, Command& chosen) {
  add_unavailable(program, chosen, kReplay);
}

void add_info_command(CLI::App& program, Command& chosen) {
  add_unavailable(program, chosen, kInfo);
}

void add_verify_command(CLI::App& program, Command& chosen) {
  add_unavailable(program, chosen, kVerify);
}

void add_selftest_command(CLI::App& program, Command& chosen) {
  add_unavailable(program, chosen, kSelftest);
}

void add_train_command(CLI::App& program, Command& chosen) {
  add_unavailable(program, chosen, kTrain);
}

}  // namespace niah
