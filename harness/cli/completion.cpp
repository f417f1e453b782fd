#include "harness/cli/completion.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>
#include <vector>

#include "harness/base/shell.h"
#include "harness/base/text.h"

namespace niah {
namespace {

/// Every name of the options: "-h --help --out".
std::string option_names(const DescribedCommand& command) {
  std::vector<std::string> names;
  for (const DescribedOption& option : command.options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return fmt::format("{}", fmt::join(names, " "));
}

std::string_view bash_paths(ValueWords::Path path) {
  switch (path) {
    case ValueWords::Path::kNone:
      return "";
    case ValueWords::Path::kFolder:
      return "folders";
    default:
      return "files";
  }
}

/// What is offered for a value: assignments to the variables of the function.
std::string bash_value(const std::string& value) {
  const ValueWords words = value_words(value);
  return fmt::format("words={} paths={}",
                     shell_quoted(fmt::format("{}", fmt::join(words.choices, " "))),
                     bash_paths(words.path));
}

/// One branch of `case $command`: after an option its value, else an argument or an option.
std::string bash_command(const DescribedCommand& command) {
  std::string text = fmt::format("    {})\n      case $previous in\n", command.name);
  for (const DescribedOption& option : command.options)
    if (!option.value.empty())
      text += fmt::format("        {}) {} ;;\n", fmt::join(option.names, " | "),
                          bash_value(option.value));
  text += fmt::format("        *) options={} ", shell_quoted(option_names(command)));
  if (!command.arguments.empty()) text += bash_value(command.arguments.front().value);
  return text + " ;;\n      esac ;;\n";
}

// The words of the command line come cut at "=", too, which is then a word of its own.
constexpr std::string_view kBashBegin = R"bash(_niah() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' options='' words='' paths='' i
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    [[ ${COMP_WORDS[i]} == -* ]] && continue
    command=${COMP_WORDS[i]}
    break
  done
)bash";

constexpr std::string_view kBashEnd = R"bash(
  # Options where one was begun, or nothing else is expected.
  [[ $current == -* || -z $words$paths ]] && words+=" $options"
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  [[ -z $paths ]] && return
  compopt -o filenames 2> /dev/null
  if [[ $paths == folders ]]; then
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$current")
  else
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -F _niah niah
)bash";

/// Text within the brackets or after the colons of a specification of _arguments.
std::string zsh_text(std::string text) {
  for (const std::string_view special : {"\\", "[", "]", ":"})
    text = replace_all(std::move(text), special, fmt::format("\\{}", special));
  return text;
}

std::string zsh_value(const std::string& value) {
  const ValueWords words = value_words(value);
  const std::string_view files = words.path == ValueWords::Path::kNone     ? ""
                                 : words.path == ValueWords::Path::kFolder ? "_files -/"
                                                                           : "_files";
  if (words.choices.empty()) return std::string(files);
  const std::string choices = fmt::format("{}", fmt::join(words.choices, " "));
  if (files.empty()) return fmt::format("({})", choices);
  return fmt::format("{{compadd {}; {}}}", choices, files);
}

/// The specification of an option for _arguments; of each of its names, which exclude each other.
std::string zsh_option(const DescribedOption& option) {
  std::string text;
  for (const std::string& name : option.names) {
    std::string spec = option.may_repeat         ? "*"
                       : option.names.size() > 1 ? fmt::format("({})", fmt::join(option.names, " "))
                                                 : "";
    spec += name;
    const bool is_long = name.starts_with("--");
    if (!option.value.empty() && is_long) spec += "=";
    spec += fmt::format("[{}]", zsh_text(option.description));
    if (!option.value.empty())
      spec += fmt::format(":{}:{}", zsh_text(option.value), zsh_value(option.value));
    text += fmt::format(" \\\n            {}", shell_quoted(spec));
  }
  return text;
}

std::string zsh_command(const DescribedCommand& command) {
  std::string text = fmt::format("        {})\n          _arguments -S", command.name);
  for (const DescribedOption& option : command.options) text += zsh_option(option);
  for (const DescribedOption& argument : command.arguments)
    text +=
        fmt::format(" \\\n            {}",
                    shell_quoted(fmt::format("{}:{}:{}", argument.may_repeat ? "*" : "",
                                             argument.names.front(), zsh_value(argument.value))));
  return text + " ;;\n";
}

bool takes_files(const ValueWords& words) {
  return words.path == ValueWords::Path::kFile || words.path == ValueWords::Path::kAny;
}

/// A text in single quotes, for fish.
std::string fish_quoted(const std::string& text) {
  return fmt::format("'{}'", replace_all(replace_all(text, "\\", "\\\\"), "'", "\\'"));
}

/// The options of `complete` that say what is offered of a value or an argument.
std::string fish_offered(const ValueWords& words) {
  std::vector<std::string> offered = words.choices;
  if (words.path == ValueWords::Path::kFolder)
    offered.emplace_back("(__fish_complete_directories)");
  std::string text = takes_files(words) ? " -F" : "";
  if (!offered.empty())
    text += fmt::format(" -a {}", fish_quoted(fmt::format("{}", fmt::join(offered, " "))));
  return text;
}

std::string fish_options(const DescribedCommand& command, const std::string& when) {
  std::string text;
  for (const DescribedOption& option : command.options) {
    text += fmt::format("complete -c niah -n {}", fish_quoted(when));
    for (const std::string& name : option.names)
      text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    const ValueWords words = value_words(option.value);
    if (!option.value.empty()) text += (takes_files(words) ? " -r" : " -x") + fish_offered(words);
    text += fmt::format(" -d {}\n", fish_quoted(option.description));
  }
  for (const DescribedOption& argument : command.arguments)
    if (const std::string offered = fish_offered(value_words(argument.value)); !offered.empty())
      text += fmt::format("complete -c niah -n {}{}\n", fish_quoted(when), offered);
  return text;
}

std::string made_by(const DescribedProgram& program, std::string_view shell) {
  return fmt::format("# Completion of niah {} for {}; made by `niah completion {}`.\n",
                     program.version, shell, shell);
}

}  // namespace

std::string bash_completion(const DescribedProgram& program) {
  std::string text = made_by(program, "bash");
  text += kBashBegin;
  text += "  case $command in\n";
  text += fmt::format("    '') words={} options={} ;;\n",
                      shell_quoted(fmt::format("{}", fmt::join(program.names(), " "))),
                      shell_quoted(option_names(program.itself)));
  for (const DescribedCommand& command : program.commands) text += bash_command(command);
  text += "  esac";
  return text.append(kBashEnd);
}

std::string zsh_completion(const DescribedProgram& program) {
  std::string text = "#compdef niah\n" + made_by(program, "zsh");
  text +=
      "_niah() {\n  local curcontext=$curcontext state line\n  typeset -A opt_args\n"
      "  _arguments -C -S";
  for (const DescribedOption& option : program.itself.options) text += zsh_option(option);
  text +=
      " \\\n            '1:command:->command' '*::argument:->arguments'\n"
      "  case $state in\n    command)\n      local -a commands=(\n";
  for (const DescribedCommand& command : program.commands)
    text += fmt::format("        {}\n", shell_quoted(fmt::format("{}:{}", command.name,
                                                                 zsh_text(command.description))));
  text += "      )\n      _describe command commands ;;\n    arguments)\n      case $words[1] in\n";
  for (const DescribedCommand& command : program.commands) text += zsh_command(command);
  return text +
         "      esac ;;\n  esac\n}\n"
         "if [[ $funcstack[1] == _niah ]]; then _niah \"$@\"; else compdef _niah niah; fi\n";
}

std::string fish_completion(const DescribedProgram& program) {
  std::string text = made_by(program, "fish") + "complete -c niah -f\n";
  text += fish_options(program.itself, "__fish_use_subcommand");
  for (const DescribedCommand& command : program.commands) {
    text += fmt::format("complete -c niah -n __fish_use_subcommand -a {} -d {}\n", command.name,
                        fish_quoted(command.description));
    text += fish_options(command, "__fish_seen_subcommand_from " + command.name);
  }
  return text;
}

}  // namespace niah
