// An error with a list: of tensors that do not fit, of fields that differ.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "harness/base/error.h"

namespace niah {

/// What an error of several lines says: what is wrong, and below it one line for each thing. Every
/// other error is shown as one line.
class ErrorList {
 public:
  ErrorList(std::string title, std::vector<std::string> lines)
      : title_(std::move(title)), lines_(std::move(lines)) {}

  const std::string& title() const { return title_; }
  const std::vector<std::string>& lines() const { return lines_; }

 protected:
  static std::string joined(std::string text, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) text += "\n  " + line;
    return text;
  }

 private:
  std::string title_;
  std::vector<std::string> lines_;
};

/// A DataError of several lines.
class ListedError : public DataError, public ErrorList {
 public:
  ListedError(const std::string& title, std::vector<std::string> lines)
      : DataError(joined(title, lines)), ErrorList(title, std::move(lines)) {}
};

/// A UsageError of several lines.
class ListedUsageError : public UsageError, public ErrorList {
 public:
  ListedUsageError(const std::string& title, std::vector<std::string> lines)
      : UsageError(joined(title, lines)), ErrorList(title, std::move(lines)) {}
};

}  // namespace niah
