// Manual pages, made of what the program's own option definitions say.
#pragma once

#include <string>
#include <string_view>

#include "harness/cli/described_program.h"

namespace niah {

/// niah(1): commands, environment, files, exit codes. `date` is that of the page ("2026-01-31").
std::string program_man_page(const DescribedProgram& program, const std::string& date);

/// niah-COMMAND(1): one of the program's commands.
std::string command_man_page(const DescribedProgram& program, const DescribedCommand& command,
                             const std::string& date);

/// A text as man(7) takes it: nothing in it is a request, and what is copied from the page is what
/// was written. Lines end between words.
std::string man_text(std::string_view text);

}  // namespace niah
