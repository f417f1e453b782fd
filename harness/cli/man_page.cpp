#include "harness/cli/man_page.h"

#include <fmt/format.h>

#include <sstream>
#include <utility>
#include <vector>

#include "harness/base/utf8.h"

namespace niah {
namespace {

/// Bytes of a line of the page's source; tools that check pages ask for at most 80.
constexpr std::size_t kLineBytes = 78;

struct Term {
  const char* name;
  const char* meaning;
};

constexpr Term kEnvironment[] = {
    {"NIAH_DATA_DIR",
     "The folder that holds models/zoo, configs and kjv.txt, in place of the one that was "
     "installed with the program. Nothing else is looked into then."},
    {"SSL_CERT_FILE",
     "The certificates by which https servers of served models are known, in place of the "
     "system's."}};

constexpr Term kFiles[] = {
    {"../share/niah/models/zoo",
     "The small models that come with the program (seen from the folder of its binary)."},
    {"../share/niah/configs",
     "Sweeps and training recipes; reference.yaml shows every key with its default."},
    {"../share/niah/kjv.txt", "The text of the haystack kjv."},
    {"runs/reproduce", "Where reproduce writes unless --out says otherwise."}};

constexpr Term kExitCodes[] = {
    {"0", "Fine."},
    {"1", "A check said no: regress found recall lost; verify, selftest, replay: not the same."},
    {"2", "The command line or a config is wrong."},
    {"3",
     "Not measured: a file is missing or wrong, memory does not suffice, something could not be "
     "written, or a cell has no sample that could be measured."},
    {"4", "regress: too few samples to tell."},
    {"130", "Interrupted; the work is saved."}};

/// One character as roff takes it: what it would print as another one, or take for its own, by
/// name.
std::string man_character(char32_t character) {
  switch (character) {
    case '\\':
      return "\\e";
    case '-':
      return "\\-";
    case '\'':
      return "\\(aq";
    case '`':
      return "\\(ga";
    case '^':
      return "\\(ha";
    case '~':
      return "\\(ti";
    default:
      break;
  }
  if (character < 0x80) return std::string(1, static_cast<char>(character));
  return fmt::format("\\[u{:04X}]", static_cast<std::uint32_t>(character));
}

std::string man_characters(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    out += man_character(point.value);
    at += point.size;
  }
  return out;
}

/// A line that is no request, whatever it begins with.
std::string guarded(const std::string& line) { return line.starts_with('.') ? "\\&" + line : line; }

std::string bold(std::string_view text) { return fmt::format("\\fB{}\\fR", man_characters(text)); }

std::string italic(std::string_view text) {
  return fmt::format("\\fI{}\\fR", man_characters(text));
}

/// "--out DIR", with its names in bold.
std::string option_words(const DescribedOption& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) names.push_back(bold(name));
  std::string words = fmt::format("{}", fmt::join(names, ", "));
  if (!option.value.empty()) words += " " + italic(option.value);
  return words;
}

std::string argument_words(const DescribedOption& argument) {
  return italic(argument.names.front()) + (argument.may_repeat ? "..." : "");
}

std::string term(const std::string& words, const std::string& meaning) {
  return fmt::format(".TP\n{}\n{}", words, meaning);
}

std::string option_meaning(const DescribedOption& option) {
  std::string meaning = option.description;
  if (option.is_required) meaning += " (required)";
  if (option.may_repeat) meaning += " (may be given several times)";
  if (!option.default_value.empty()) meaning += fmt::format(" (default: {})", option.default_value);
  return man_text(meaning);
}

std::string options_section(const DescribedCommand& command) {
  std::string text = ".SH OPTIONS\n";
  for (const DescribedOption& option : command.options)
    text += term(option_words(option), option_meaning(option));
  return text;
}

template <std::size_t count>
std::string terms_section(const char* title, const Term (&terms)[count]) {
  std::string text = fmt::format(".SH {}\n", title);
  for (const Term& one : terms) text += term(bold(one.name), man_text(one.meaning));
  return text;
}

std::string examples_section(const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string text = ".SH EXAMPLES\n.nf\n.RS 4\n";
  for (const std::string& line : lines) text += guarded(man_characters(line)) + "\n";
  return text + ".RE\n.fi\n";
}

/// Heading and NAME, by which apropos finds the page. `summary` is its first line.
std::string head(const DescribedProgram& program, const std::string& page, std::string summary,
                 const std::string& date) {
  summary = summary.substr(0, summary.find('\n'));
  const std::string begin = program.itself.name + " ";
  if (summary.starts_with(begin)) summary.erase(0, begin.size());
  if (summary.ends_with('.')) summary.pop_back();
  std::string title = page;
  for (char& c : title)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return fmt::format(
      ".TH {} 1 \"{}\" \"{} {}\" \"User Commands\"\n"
      ".SH NAME\n{}",
      man_characters(title), date, program.itself.name, program.version,
      man_text(fmt::format("{} - {}", page, summary)));
}

std::string command_synopsis(const DescribedProgram& program, const DescribedCommand& command) {
  std::string text = bold(program.itself.name + " " + command.name);
  for (const DescribedOption& option : command.options)
    if (option.is_required)
      text += fmt::format("\n{} {}", bold(option.names.back()), italic(option.value));
  text += "\n[" + italic("OPTION") + "]...";
  for (const DescribedOption& argument : command.arguments)
    text += fmt::format("\n{}", argument.is_required ? argument_words(argument)
                                                     : "[" + argument_words(argument) + "]");
  return text + "\n";
}

std::string page_of(const DescribedProgram& program, const DescribedCommand& command) {
  return program.itself.name + "-" + command.name;
}

}  // namespace

std::string man_text(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::string out, line;
  for (std::string word; words >> word;) {
    word = man_characters(word);
    if (!line.empty() && line.size() + 1 + word.size() > kLineBytes)
      out += guarded(std::exchange(line, "")) + "\n";
    line += (line.empty() ? "" : " ") + word;
  }
  return line.empty() ? out : out + guarded(line) + "\n";
}

std::string program_man_page(const DescribedProgram& program, const std::string& date) {
  const std::string& name = program.itself.name;
  std::string text = head(program, name, program.itself.description, date);
  text += fmt::format(".SH SYNOPSIS\n{}\n{}\n[{}]...\n", bold(name), italic("COMMAND"),
                      italic("ARGUMENT"));
  text += ".SH DESCRIPTION\n" + man_text(program.itself.description);
  text += ".SH COMMANDS\n";
  for (const DescribedCommand& command : program.commands)
    text += term(bold(page_of(program, command)) + "(1)", man_text(command.description));
  text += options_section(program.itself);
  text += terms_section("ENVIRONMENT", kEnvironment);
  text += terms_section("FILES", kFiles);
  text += terms_section("EXIT STATUS", kExitCodes);
  return text;
}

std::string command_man_page(const DescribedProgram& program, const DescribedCommand& command,
                             const std::string& date) {
  std::string text = head(program, page_of(program, command), command.description, date);
  text += ".SH SYNOPSIS\n" + command_synopsis(program, command);
  text += ".SH DESCRIPTION\n" + man_text(command.description);
  for (const DescribedOption& argument : command.arguments)
    text += term(argument_words(argument) + " (" + italic(argument.value) + ")",
                 man_text(argument.description));
  text += options_section(command);
  text += examples_section(command.examples);
  return text + fmt::format(".SH SEE ALSO\n{}(1): the other commands, files, exit codes\n",
                            bold(program.itself.name));
}

}  // namespace niah
