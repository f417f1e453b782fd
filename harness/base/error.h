// Errors that a user can act on, and the exit code each one becomes.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace niah {

/// What the program tells its caller. Scripts rely on these numbers.
enum class ExitCode : int {
  kOk = 0,
  kCheckFailed = 1,    ///< a check said no: recall lost, verify mismatch
  kUsage = 2,          ///< the command line or a config is wrong
  kNotMeasured = 3,    ///< a file or memory problem, or no sample could be measured
  kInconclusive = 4,   ///< the evidence does not suffice (`regress` only)
  kInterrupted = 130,  ///< stopped by the user; finished work is saved
};

/// An error with a message for the user: what was being done, to which file, what was found, what
/// was expected, what to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// The command line or a config is wrong (exit 2).
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(ExitCode::kUsage, message) {}
};

/// Something outside the program failed: a file, memory (exit 3).
class DataError : public Error {
 public:
  explicit DataError(const std::string& message) : Error(ExitCode::kNotMeasured, message) {}
};

/// The user asked to stop; everything finished so far is saved (exit 130).
class Interrupted : public Error {
 public:
  explicit Interrupted(const std::string& message) : Error(ExitCode::kInterrupted, message) {}
};

/// Checks an invariant that only a bug in this program can break. Throws std::logic_error with the
/// source location.
void check(bool condition, std::string_view what,
           std::source_location where = std::source_location::current());

}  // namespace niah
