// Helpers of the model tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/machine.h"
#include "tests/temporary_folder.h"

namespace niah::models {

/// The folder tests/data.
std::filesystem::path test_data();

/// The folders of golden checkpoints whose names start with `prefix`: the committed ones and, if
/// NIAH_GOLDEN_DIR is set, those in it.
inline std::vector<std::string> golden_models(const std::string& prefix) {
  std::vector<std::filesystem::path> roots = {test_data() / "models"};
  if (const auto goldens = golden_folder())
    for (const char* part : {"models", "families"}) roots.push_back(*goldens / part);
  std::vector<std::string> folders;
  for (const auto& root : roots)
    for (const auto& entry : std::filesystem::directory_iterator(root))
      if (entry.path().filename().string().starts_with(prefix) &&
          std::filesystem::exists(entry.path() / "config.json"))
        folders.push_back(entry.path().string());
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace niah::models
