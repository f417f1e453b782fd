// niah completion, niah man: what an installation has of the program beside the program itself.
// Both are hidden: who needs them is told by the manual.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "harness/base/output.h"
#include "harness/base/text.h"
#include "harness/cli/command.h"
#include "harness/cli/completion.h"
#include "harness/cli/man_page.h"
#include "harness/version.h"

namespace niah {
namespace {

constexpr const char* kProgramName = "niah";

/// Today, or the day that SOURCE_DATE_EPOCH says: a package built twice has the same pages.
std::string page_date() {
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
  const auto seconds = epoch == nullptr ? std::nullopt : parse_integer(epoch, kNotNegative);
  const std::time_t moment =
      seconds ? static_cast<std::time_t>(*seconds)
              : std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(moment));
}

std::string completion_for(const std::string& shell, const DescribedProgram& program) {
  if (shell == "bash") return bash_completion(program);
  if (shell == "zsh") return zsh_completion(program);
  if (shell == "fish") return fish_completion(program);
  throw UsageError(
      fmt::format("completion for '{}': bash, zsh or fish was expected", valid_utf8(shell)));
}

std::string man_page_for(const std::string& name, const DescribedProgram& program) {
  if (name.empty()) return program_man_page(program, page_date());
  const auto found =
      std::find_if(program.commands.begin(), program.commands.end(),
                   [&](const DescribedCommand& command) { return command.name == name; });
  if (found == program.commands.end())
    throw UsageError(fmt::format("there is no command '{}' to write the manual page of{}",
                                 valid_utf8(name), did_you_mean(name, program.names())));
  return command_man_page(program, *found, page_date());
}

/// A command that `--help` and completions do not list.
CLI::App* add_hidden(CLI::App& program, const std::string& name, const std::string& description,
                     const std::string& example) {
  return add_command(program, name, description, example)->group("");
}

}  // namespace

void add_completion_command(CLI::App& program, Command& chosen) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command =
      add_hidden(program, "completion", "Write a completion of the command line for a shell",
                 "source <(niah completion bash)");
  command->add_option("shell", *shell, "Which shell")->type_name("{bash|zsh|fish}")->required();
  command->callback([shell, &program, &chosen] {
    chosen = [shell, &program] {
      write_stdout(completion_for(*shell, describe(program, kProgramName, kVersion)));
      return ExitCode::kOk;
    };
  });
}

void add_man_command(CLI::App& program, Command& chosen) {
  struct Arguments {
    std::string name;
    bool list = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = add_hidden(program, "man", "Write a manual page: of a command, or of niah",
                                 "niah man run | man -l -");
  command->add_option("command", arguments->name, "Whose page; without it niah's own")
      ->type_name("COMMAND");
  command->add_flag("--list", arguments->list, "The commands that have a page, one a line");
  command->callback([arguments, &program, &chosen] {
    chosen = [arguments, &program] {
      const DescribedProgram described = describe(program, kProgramName, kVersion);
      write_stdout(arguments->list ? fmt::format("{}\n", fmt::join(described.names(), "\n"))
                                   : man_page_for(arguments->name, described));
      return ExitCode::kOk;
    };
  });
}

}  // namespace niah
