// Code that needs no model must not include libtorch, not even indirectly, so that report, gate and
// merge build on machines without it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>
#include "tests/paths.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

bool is_of_torch(const std::string& header) {
  for (const char* folder : {"torch/", "ATen/", "c10/", "caffe2/"})
    if (header.starts_with(folder)) return true;
  return false;
}

/// Follows #include lines through the source tree, each file once.
class Includes {
 public:
  /// The chain of includes from `file` (relative to the source root) to a libtorch header, such as
  /// "a.h > b.h > <ATen/ATen.h>"; empty if there is none.
  std::string way_to_torch(const std::string& file) {
    const auto [known, fresh] = ways_.try_emplace(file);
    if (!fresh) return known->second;
    std::string way;
    for (const std::string& header : headers_of(file)) {
      if (is_of_torch(header)) {
        way = file + " > <" + header + ">";
        break;
      }
      const std::string further = fs::exists(kRoot / header) ? way_to_torch(header) : std::string();
      if (further.empty()) continue;
      way = file + " > " + further;
      break;
    }
    return ways_[file] = way;
  }

 private:
  static std::vector<std::string> headers_of(const std::string& file) {
    std::ifstream in(kRoot / file);
    std::vector<std::string> headers;
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("#include ")) continue;
      const std::size_t begin = line.find_first_of("<\"") + 1,
                        end = line.find_first_of(">\"", begin);
      headers.push_back(line.substr(begin, end - begin));
    }
    return headers;
  }

  static inline const fs::path kRoot = NIAH_SOURCE_DIR;
  std::map<std::string, std::string> ways_;
};

bool is_source(const fs::path& file) {
  return file.extension() == ".h" || file.extension() == ".cpp";
}

/// The sources of the targets without libtorch, and all files of the folders that must not use it.
std::vector<std::string> files_without_torch() {
  const fs::path root = NIAH_SOURCE_DIR;
  std::vector<std::string> files;
  std::ifstream list(NIAH_SOURCES_WITHOUT_TORCH);
  for (std::string line; std::getline(list, line);)
    files.push_back(fs::relative(line, root).string());
  for (const char* folder : {"tasks", "reports", "harness/base", "harness/config",
                             "models/checkpoint", "models/tokenizer"})
    for (const auto& entry : fs::recursive_directory_iterator(root / folder))
      if (is_source(entry.path())) files.push_back(fs::relative(entry.path(), root).string());
  // Single engines may need libtorch; the engine interface must not.
  for (const auto& entry : fs::directory_iterator(root / "harness/engine"))
    if (is_source(entry.path())) files.push_back(fs::relative(entry.path(), root).string());
  return files;
}

TEST(Includes, NothingThatNeedsNoModelComesToTorch) {
  const std::vector<std::string> files = files_without_torch();
  EXPECT_GT(files.size(), 200U);
  Includes includes;
  for (const std::string& file : files) EXPECT_EQ(includes.way_to_torch(file), "");
}

TEST(Includes, TheWayToTorchIsFoundThroughOtherHeaders) {
  Includes includes;
  EXPECT_EQ(includes.way_to_torch("models/pch.h"), "models/pch.h > <ATen/ATen.h>");
  EXPECT_NE(includes.way_to_torch("harness/engine/local/loading.h"), "");
}

}  // namespace
}  // namespace niah
