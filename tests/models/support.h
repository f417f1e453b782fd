// What the models' tests share.
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

/// tests/data.
std::filesystem::path test_data();

/// Golden checkpoints of the given prefix: the committed ones, and all of NIAH_GOLDEN_DIR where
/// set.
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
