// A command line with one of each kind of option, in place of the program's own.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "harness/cli/described_program.h"

namespace niah {

/// What the options of tiny_program() are read into.
struct TinyValues {
  std::string out, type = "fp32", haystack, which;
  std::vector<std::string> settings, runs;
  std::int64_t count = 3;
  bool quiet = false;
};

inline void add_tiny_commands(CLI::App& program, TinyValues& values) {
  program.set_version_flag("--version", std::string("tiny 1.2"));
  CLI::App* draw = add_command(program, "draw", "Draw it: 'all', or [some]. Exit 1: not drawn",
                               "niah draw a b\n  niah draw a \\\n    --out b");
  draw->add_option("runs", values.runs, "Run folders")->type_name(kFolderValue)->required();
  draw->add_option("--out", values.out, "Where to")->type_name(kFileValue)->required();
  draw->add_option("--type", values.type, "How")->type_name("{fp32|bf16}")->capture_default_str();
  draw->add_option("--haystack", values.haystack, "Text")->type_name(kHaystackValue);
  add_integer(*draw, "--count", values.count, {1, 9}, "How many");
  add_repeated(*draw, "--set", values.settings, "Change a key")->type_name(kSettingValue);
  draw->add_flag("--quiet", values.quiet, "Say nothing");
  add_command(program, "look", "Look at one", "niah look")
      ->add_option("which", values.which, "Which one")
      ->type_name("ID");
  add_command(program, "secret", "Not for everybody", "niah secret")->group("");
}

/// What describe() makes of it.
inline DescribedProgram tiny_program() {
  TinyValues values;
  CLI::App program{"niah looks.\nIt also draws."};
  add_tiny_commands(program, values);
  return describe(program, "niah", "1.2");
}

}  // namespace niah
