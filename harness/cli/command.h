// One add_..._command() per subcommand: it adds the subcommand's options to `program`, and when the
// command line names the subcommand, sets `chosen` to what main() is to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/numbers.h"

namespace niah {

/// What main() runs after it has read the command line; returns the exit code.
using Command = std::function<ExitCode()>;

/// Adds a subcommand; `--help` shows `example` at its end.
CLI::App* add_command(CLI::App& program, const std::string& name, const std::string& description,
                      const std::string& example);

/// What the example of a command stands under.
inline constexpr const char* kExampleHeading = "Example:";

/// Names of values that completions complete as paths: ->type_name(kFileValue). They complete
/// "{a|b}" by its words; described_program.h says more.
inline constexpr const char* kFileValue = "FILE";
inline constexpr const char* kFolderValue = "DIR";
inline constexpr const char* kPathValue = "PATH";  ///< a file or a folder
/// Values that several commands take.
inline constexpr const char* kHaystackValue = "{kjv|prose|PATH}";
inline constexpr const char* kLengthValue = "LENGTH";
inline constexpr const char* kSettingValue = "KEY=VALUE";

/// What `--help` says of a command.
struct CommandText {
  const char* name;
  const char* description;
  const char* example;
};
CLI::App* add_command(CLI::App& program, const CommandText& text);

/// Adds a KEY=VALUE option that may be given several times, with one value each: the words after
/// the value are not taken as further values.
CLI::Option* add_repeated(CLI::App& command, const std::string& name,
                          std::vector<std::string>& values, const std::string& description);

/// Adds an option for an integer in `range` (N in the help); `value` is the default. CLI11 alone
/// would let -1 wrap and 2^64 saturate.
CLI::Option* add_integer(CLI::App& command, const std::string& name, std::int64_t& value,
                         IntegerRange range, const std::string& description);
/// The same for a seed: an integer of at least 0.
CLI::Option* add_seed(CLI::App& command, std::uint64_t& seed, const std::string& description);
/// The same for a number (X in the help).
CLI::Option* add_number(CLI::App& command, const std::string& name, double& value,
                        NumberRange range, const std::string& description);

/// Adds --device, which takes what a config's runtime.device takes.
void add_device_option(CLI::App& command, std::string& device);

void add_completion_command(CLI::App& program, Command& chosen);
void add_diagnose_command(CLI::App& program, Command& chosen);
void add_generate_command(CLI::App& program, Command& chosen);
void add_info_command(CLI::App& program, Command& chosen);
void add_man_command(CLI::App& program, Command& chosen);
void add_merge_command(CLI::App& program, Command& chosen);
void add_reproduce_command(CLI::App& program, Command& chosen);
void add_attribute_command(CLI::App& program, Command& chosen);
void add_restore_command(CLI::App& program, Command& chosen);
void add_replay_command(CLI::App& program, Command& chosen);
void add_run_command(CLI::App& program, Command& chosen);
void add_nightly_command(CLI::App& program, Command& chosen);
void add_regress_command(CLI::App& program, Command& chosen);
void add_report_command(CLI::App& program, Command& chosen);
void add_selftest_command(CLI::App& program, Command& chosen);
void add_show_command(CLI::App& program, Command& chosen);
void add_slurm_command(CLI::App& program, Command& chosen);
void add_tokenize_command(CLI::App& program, Command& chosen);
void add_train_command(CLI::App& program, Command& chosen);
void add_verify_command(CLI::App& program, Command& chosen);

}  // namespace niah
