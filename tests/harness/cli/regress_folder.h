// A folder of played runs, and `niah regress` and `niah report` called on them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/cli/command.h"
#include "tests/temporary_folder.h"

namespace niah {

/// Has the runs `baseline` and `tonight`, and what regress() writes of them.
class RegressFolder {
 public:
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  std::string read(const std::string& name) const { return read_file(path(name), "test"); }

  /// Compares `tonight` with `baseline`, with more options; returns the exit code.
  int regress(const std::vector<std::string>& options) const {
    std::vector<std::string> words = {"regress", "--baseline", path("baseline").string(),
                                      "--current", path("tonight").string()};
    for (const auto& [option, file] :
         {std::pair{"--junit", "regress.xml"}, std::pair{"--summary", "regress.md"},
          std::pair{"--json", "regress.json"}, std::pair{"--history", "history.jsonl"},
          std::pair{"--trend", "trend.html"}}) {
      words.push_back(option);
      words.push_back(path(file).string());
    }
    return run(std::move(words), options);
  }
  /// Draws the page of `tonight` with `baseline`, whatever is missing, with more options; returns
  /// the exit code.
  int report(const std::vector<std::string>& options) const {
    return run({"report", path("tonight").string(), "--baseline", path("baseline").string(),
                "--allow-missing"},
               options);
  }

 private:
  static int run(std::vector<std::string> words, const std::vector<std::string>& options) {
    words.insert(words.end(), options.begin(), options.end());
    CLI::App program;
    Command chosen;
    add_regress_command(program, chosen);
    add_report_command(program, chosen);
    std::reverse(words.begin(), words.end());
    program.parse(words);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = code_of(chosen);
    testing::internal::GetCapturedStderr();
    testing::internal::GetCapturedStdout();
    return code;
  }
  static int code_of(const Command& command) {
    try {
      return static_cast<int>(command());
    } catch (const Error& error) {
      return static_cast<int>(error.code());
    }
  }

  TemporaryFolder folder_;
};

}  // namespace niah
