#include "harness/cli/described_program.h"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "harness/cli/command.h"

namespace niah {
namespace {

bool is_choice(const std::string& word) {
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  return !word.empty() && std::none_of(word.begin(), word.end(), is_capital);
}

DescribedOption describe_option(const CLI::Option& option) {
  DescribedOption described;
  for (const std::string& name : option.get_snames()) described.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) described.names.push_back("--" + name);
  if (described.names.empty()) described.names.push_back(option.get_name(/*positional=*/true));
  const bool takes_value = option.get_items_expected_max() > 0;
  if (takes_value) described.value = option.get_type_name();
  described.description = option.get_description();
  if (takes_value) described.default_value = option.get_default_str();
  described.is_required = option.get_required();
  described.may_repeat = option.get_items_expected_max() > 1;
  return described;
}

/// The lines of "Example:\n  niah ...", without the heading and as far to the left as they go.
std::vector<std::string> example_lines(const std::string& footer) {
  constexpr std::string_view kIndent = "  ";
  std::vector<std::string> lines;
  std::istringstream text(footer);
  for (std::string line; std::getline(text, line);) {
    if (line.empty() || line == kExampleHeading) continue;
    lines.push_back(line.starts_with(kIndent) ? line.substr(kIndent.size()) : line);
  }
  return lines;
}

DescribedCommand describe_command(const CLI::App& command) {
  DescribedCommand described;
  described.name = command.get_name();
  described.description = command.get_description();
  described.examples = example_lines(command.get_footer());
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    auto& list = option->nonpositional() ? described.options : described.arguments;
    list.push_back(describe_option(*option));
  }
  return described;
}

}  // namespace

ValueWords value_words(const std::string& value) {
  const bool is_group = value.size() > 2 && value.front() == '{' && value.back() == '}';
  ValueWords words;
  std::istringstream text(is_group ? value.substr(1, value.size() - 2) : value);
  for (std::string word; std::getline(text, word, '|');) {
    if (word == kFileValue)
      words.path = ValueWords::Path::kFile;
    else if (word == kFolderValue)
      words.path = ValueWords::Path::kFolder;
    else if (word == kPathValue)
      words.path = ValueWords::Path::kAny;
    else if (is_choice(word))
      words.choices.push_back(word);
  }
  return words;
}

std::vector<std::string> DescribedProgram::names() const {
  std::vector<std::string> names;
  for (const DescribedCommand& command : commands) names.push_back(command.name);
  return names;
}

DescribedProgram describe(const CLI::App& program, const std::string& name,
                          const std::string& version) {
  DescribedProgram described{describe_command(program), version, {}};
  described.itself.name = name;
  const auto is_shown = [](const CLI::App* command) { return !command->get_group().empty(); };
  for (const CLI::App* command : program.get_subcommands(is_shown))
    described.commands.push_back(describe_command(*command));
  return described;
}

}  // namespace niah
