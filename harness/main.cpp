// niah: does this model still find what it read?
#include <fmt/format.h>
#include <unistd.h>

#include <exception>
#include <sstream>
#include <string_view>

#include "harness/base/interrupt.h"
#include "harness/base/listed_error.h"
#include "harness/base/output.h"
#include "harness/base/text.h"
#include "harness/cli/command.h"
#include "harness/engine/local/memory_guard.h"
#include "harness/engine/local/torch_error.h"
#include "harness/version.h"

namespace niah {

namespace {

/// Writes an error to stderr on one line, whatever file names it contains, and each item of a list
/// on a line of its own below. Returns the exit code.
int fail(ExitCode code, std::string_view message, const std::vector<std::string>& lines = {}) {
  std::string text = fmt::format("niah: {}\n", single_line(message));
  for (const std::string& line : lines) text += fmt::format("  {}\n", single_line(line));
  say_text(std::move(text));
  return static_cast<int>(code);
}

/// An error without a message of ours: reported with the command that ran into it, and without the
/// stack frames that libtorch adds.
int fail_unforeseen(int argc, char** argv, const std::string& what) {
  constexpr std::size_t kLongest = 400;
  std::string command = "niah";
  for (int i = 1; i < argc; ++i) command += fmt::format(" {}", argv[i]);
  if (command.size() > kLongest) command = command.substr(0, kLongest) + " ...";
  const std::string line = what.substr(0, what.find('\n'));
  return fail(ExitCode::kNotMeasured, fmt::format("running `{}`: {}", command, line));
}

/// What ends the sentence before `hint`: did_you_mean() has its own question mark.
std::string sentence_end(const std::string& hint) { return hint.empty() ? "." : hint; }

/// The message for a mistyped command or option, with the nearest valid one. Empty for any other
/// error, for which CLI11's own message will do.
std::string explain_wrong_word(const CLI::App& program, int argc, char** argv) {
  const auto commands = program.get_subcommands([](const CLI::App*) { return true; });
  const auto chosen = program.get_subcommands();
  if (chosen.empty()) {
    if (argc < 2 || argv[1][0] == '-') return "";
    std::vector<std::string> names;
    for (const CLI::App* command : commands)
      if (!command->get_group().empty()) names.push_back(command->get_name());
    return fmt::format("there is no command '{}'{} `niah --help` lists them", valid_utf8(argv[1]),
                       sentence_end(did_you_mean(argv[1], names)));
  }
  const std::vector<std::string> extras = chosen.front()->remaining();
  if (extras.empty()) return "";
  std::vector<std::string> names;
  for (const CLI::Option* option : chosen.front()->get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return fmt::format("'{}' is not expected here{} `niah {} --help` lists what is",
                     valid_utf8(extras.front()), sentence_end(did_you_mean(extras.front(), names)),
                     chosen.front()->get_name());
}

/// CLI11 has its own exit codes; ours is 2 for every wrong command line and 0 for --help.
int report_parse_error(const CLI::App& program, const CLI::ParseError& error, int argc,
                       char** argv) {
  const std::string explained =
      error.get_exit_code() == 0 ? "" : explain_wrong_word(program, argc, argv);
  if (!explained.empty()) return fail(ExitCode::kUsage, explained);
  std::ostringstream out, err;
  if (program.exit(error, out, err) != 0) {
    std::string words = "niah";
    for (const CLI::App* command : program.get_subcommands()) words += " " + command->get_name();
    return fail(ExitCode::kUsage,
                fmt::format("{}. `{} --help` lists what is expected", error.what(), words));
  }
  write_stdout(laid_out(out.str(), STDOUT_FILENO));
  return 0;
}

[[noreturn]] void refuse_empty_value(std::string_view option) {
  throw UsageError(fmt::format(
      "{}: a value was expected, found an empty one (is a variable not set?)", valid_utf8(option)));
}

/// Refuses options with an empty value: an unset shell variable leaves one, and it would be treated
/// as an option that was not given.
void refuse_empty_values(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options())
    for (const std::string& value : option->results())
      if (value.empty()) refuse_empty_value(option->get_name());
}

/// Refuses "--out=" alone: CLI11 would take the next word as its value.
void refuse_empty_values(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with("--") && word.find('=') == word.size() - 1)
      refuse_empty_value(word.substr(0, word.size() - 1));
  }
}

int run(int argc, char** argv) {
  CLI::App program{
      "niah measures whether a language model can still find what it read.\n"
      "It builds needle-in-a-haystack tests, runs them, compares checkpoints and draws reports.",
      "niah"};
  program.set_version_flag("--version", std::string("niah ") + kVersion);
  program.require_subcommand(1);
  Command chosen;
  add_reproduce_command(program, chosen);
  add_run_command(program, chosen);
  add_merge_command(program, chosen);
  add_slurm_command(program, chosen);
  add_report_command(program, chosen);
  add_regress_command(program, chosen);
  add_nightly_command(program, chosen);
  add_restore_command(program, chosen);
  add_diagnose_command(program, chosen);
  add_attribute_command(program, chosen);
  add_show_command(program, chosen);
  add_replay_command(program, chosen);
  add_info_command(program, chosen);
  add_verify_command(program, chosen);
  add_selftest_command(program, chosen);
  add_generate_command(program, chosen);
  add_tokenize_command(program, chosen);
  add_train_command(program, chosen);
  add_completion_command(program, chosen);
  add_man_command(program, chosen);
  refuse_empty_values(argc, argv);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report_parse_error(program, error, argc, argv);
  }
  for (const CLI::App* command : program.get_subcommands()) refuse_empty_values(*command);
  install_interrupt_handler();
  return static_cast<int>(chosen());
}

/// Runs the program. Every error becomes a message and an exit code, including output that could
/// not be written.
int guarded_run(int argc, char** argv) {
  try {
    const int code = run(argc, argv);
    flush_stdout();
    return code;
  } catch (const Error& error) {
    const auto* list = dynamic_cast<const ErrorList*>(&error);
    return list == nullptr ? fail(error.code(), error.what())
                           : fail(error.code(), list->title(), list->lines());
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) return fail(ExitCode::kNotMeasured, "out of memory");
    const auto of_torch = torch_error(error);
    return fail_unforeseen(argc, argv,
                           of_torch ? fmt::format("libtorch: {}", of_torch->words) : error.what());
  }
}

}  // namespace
}  // namespace niah

int main(int argc, char** argv) {
  niah::prepare_process();
  return niah::guarded_run(argc, argv);
}
