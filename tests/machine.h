// What a test needs of the machine, and what happens where that is missing.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>

namespace niah {

/// Whether a test that lacks something has failed (NIAH_REQUIRE_ALL=1, as in CI), instead of being
/// skipped: there a skip is a check that nobody knows is missing.
inline bool machine_has_all() {
  const char* all = std::getenv("NIAH_REQUIRE_ALL");
  return all != nullptr && std::string_view(all) == "1";
}

/// The folder of the full recordings; nullopt where NIAH_GOLDEN_DIR names none. They do not come
/// with the sources, so their absence is the one that NIAH_REQUIRE_ALL allows.
inline std::optional<std::filesystem::path> golden_folder() {
  const char* folder = std::getenv("NIAH_GOLDEN_DIR");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return folder;
}

}  // namespace niah

/// Ends a test that this machine cannot run: skipped, or failed with NIAH_REQUIRE_ALL=1.
#define NIAH_CANNOT_RUN(what)                                                                   \
  do {                                                                                          \
    if (niah::machine_has_all()) FAIL() << what << "; NIAH_REQUIRE_ALL=1 says that it is here"; \
    GTEST_SKIP() << what;                                                                       \
  } while (false)

/// Ends a test of the full recordings where they are not.
#define NIAH_NEEDS_GOLDENS()  \
  if (!niah::golden_folder()) \
  GTEST_SKIP() << "the full recordings are not here; NIAH_GOLDEN_DIR names their folder"
