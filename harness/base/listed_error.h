// An error with a list: of tensors that do not fit, of fields that differ.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "harness/base/error.h"

namespace niah {

/// A DataError of several lines: what is wrong, and below it one line for each thing. Every other
/// error is shown as one line.
class ListedError : public DataError {
 public:
  ListedError(const std::string& title, std::vector<std::string> lines)
      : DataError(joined(title, lines)), title_(title), lines_(std::move(lines)) {}

  const std::string& title() const { return title_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  static std::string joined(std::string text, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) text += "\n  " + line;
    return text;
  }

  std::string title_;
  std::vector<std::string> lines_;
};

}  // namespace niah
