// What the program's own option definitions say of it, for completions and manual pages.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace niah {

/// What a value may be, by its name on the command line: "FILE", "DIR" and "PATH" (either) are
/// paths, words without capitals in braces are choices ("{fp32|bf16}", "{kjv|prose|PATH}"), and of
/// anything else nothing is known.
struct ValueWords {
  enum class Path { kNone, kFile, kFolder, kAny };

  std::vector<std::string> choices;
  Path path = Path::kNone;
};
ValueWords value_words(const std::string& value);

/// An option ("--out", "-h") or a positional argument ("runs").
struct DescribedOption {
  std::vector<std::string> names;  ///< with their dashes, short ones first; of an argument its name
  std::string value;               ///< "DIR"; empty for a flag
  std::string description;
  std::string default_value;  ///< empty where there is none
  bool is_required = false;
  bool may_repeat = false;
};

/// A subcommand, or the program itself.
struct DescribedCommand {
  std::string name;
  std::string description;
  std::vector<std::string> examples;  ///< lines
  std::vector<DescribedOption> arguments;
  std::vector<DescribedOption> options;
};

struct DescribedProgram {
  DescribedCommand itself;
  std::string version;
  std::vector<DescribedCommand> commands;

  /// The name of every command.
  std::vector<std::string> names() const;
};

/// Reads what CLI11 was told, but for what is hidden (the empty group). CLI11 itself knows the
/// program by the path it was called by.
DescribedProgram describe(const CLI::App& program, const std::string& name,
                          const std::string& version);

}  // namespace niah
