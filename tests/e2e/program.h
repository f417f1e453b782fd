// Runs the built program as a person does.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace niah::e2e {

struct Outcome {
  int code = -1;
  std::string output;  ///< stdout and stderr together
};

/// `niah ARGUMENTS` through the shell.
inline Outcome niah(const std::string& arguments, const std::string& environment = "") {
  Outcome outcome;
  const std::string command = environment + " '" NIAH_PROGRAM "' " + arguments + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer{};
  while (std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.output.append(buffer.data(), count);
  const int status = ::pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace niah::e2e
