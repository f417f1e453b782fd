// Completions of the command line, as shells read them.
#pragma once

#include <string>

#include "harness/cli/described_program.h"

namespace niah {

/// A script that completes commands, options, and values that are paths or choices, in bash.
std::string bash_completion(const DescribedProgram& program);
/// The same for zsh, as a function to load by its name or to evaluate.
std::string zsh_completion(const DescribedProgram& program);
/// The same for fish.
std::string fish_completion(const DescribedProgram& program);

}  // namespace niah
