// Runs the built program as a user does.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace niah::e2e {

struct Outcome {
  int code = -1;
  std::string output;  ///< stdout and stderr together
};

/// Runs `niah ARGUMENTS` through the shell and waits for it.
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

/// `niah ARGUMENTS...` running in the background. The destructor kills it if it is still running.
class Background {
 public:
  explicit Background(std::vector<std::string> arguments) : pid_(::fork()) {
    if (pid_ != 0) return;
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, STDOUT_FILENO);
    ::dup2(null, STDERR_FILENO);
    std::vector<char*> words = {const_cast<char*>("niah")};
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    ::execv(NIAH_PROGRAM, words.data());
    ::_exit(127);
  }
  ~Background() { end_with(SIGKILL); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// Waits until `happened` is true, the program has ended or five minutes have passed; returns
  /// whether `happened` is true.
  template <typename Happened>
  bool wait_until(const Happened& happened) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(5);
    while (!happened() && is_running() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return happened();
  }
  /// Sends the signal and waits for the program to end. Returns the status of waitpid(), for
  /// WIFSIGNALED and WEXITSTATUS.
  int end_with(int signal) {
    if (is_running()) {
      ::kill(pid_, signal);
      ::waitpid(pid_, &status_, 0);
      has_ended_ = true;
    }
    return status_;
  }

 private:
  bool is_running() {
    if (!has_ended_) has_ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
    return !has_ended_;
  }

  pid_t pid_;
  int status_ = 0;
  bool has_ended_ = false;
};

}  // namespace niah::e2e
